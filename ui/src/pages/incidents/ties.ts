/** Where the entities of an incident stand in its picture: who on the left, where in the middle, what on the right. */
import type { Graph, Knot } from "../../server/incidents";

export const ROW = 26;
export const SIDES = ["who", "where", "what"] as const;
export type Side = (typeof SIDES)[number];

const WHO = new Set(["user", "principal", "key", "address", "session", "conversation", "agent", "admin", "role", "tenant", "author", "client"]);
const WHERE = new Set(["service", "endpoint", "route", "model", "tool", "host", "process", "gpu", "run", "rank", "version"]);
/** Traces and sessions are many and say little: they come last where there is room. */
const LAST = new Set(["trace", "session", "conversation", "template"]);
const MOST = 14;

export interface Placed extends Knot {
  side: Side;
  row: number;
}

export interface Picture {
  knots: Placed[];
  ties: { from: Placed; to: Placed; findings: number }[];
  rows: number;
  /** How many entities there is no room for. */
  left: number;
}

export const sideOf = (kind: string): Side => (WHO.has(kind) ? "who" : WHERE.has(kind) ? "where" : "what");

/** Place the riskiest entities of each side; within a side those stand near each other that share ties. */
export function picture(graph: Graph): Picture {
  const placed = new Map<number, Placed>();
  for (const side of SIDES) {
    const mine = graph.nodes.filter((node) => sideOf(node.kind) === side);
    const ordered = [...mine.filter((node) => !LAST.has(node.kind)), ...mine.filter((node) => LAST.has(node.kind))].slice(0, MOST);
    ordered.forEach((node, row) => placed.set(node.id, { ...node, side, row }));
  }
  settle(placed, graph);
  const ties = graph.edges.flatMap((edge) => {
    const [from, to] = [placed.get(edge.source), placed.get(edge.target)];
    return from && to && from.side !== to.side ? [{ from, to, findings: edge.findings }] : [];
  });
  const knots = [...placed.values()].sort((a, b) => SIDES.indexOf(a.side) - SIDES.indexOf(b.side) || a.row - b.row);
  const rows = Math.max(1, ...knots.map((knot) => knot.row + 1));
  return { knots, ties, rows, left: graph.nodes.length - knots.length };
}

/** The ties to draw: all of the entity `at`, or else the strongest of each entity, since all at once are a thicket. */
export function seen(drawn: Picture, at: number | null): Picture["ties"] {
  if (at !== null) return drawn.ties.filter((tie) => tie.from.id === at || tie.to.id === at);
  const strongest = new Map<number, Picture["ties"][number]>();
  for (const tie of drawn.ties)
    for (const knot of [tie.from, tie.to]) if (tie.findings > (strongest.get(knot.id)?.findings ?? 0)) strongest.set(knot.id, tie);
  return drawn.ties.filter((tie) => strongest.get(tie.from.id) === tie || strongest.get(tie.to.id) === tie);
}

/** Order the outer sides by the mean row of what they are tied to in the middle (Sugiyama's barycentre), once. */
function settle(placed: Map<number, Placed>, graph: Graph): void {
  for (const side of ["who", "what"] as const) {
    const mine = [...placed.values()].filter((knot) => knot.side === side);
    const mean = new Map(mine.map((knot) => [knot.id, centre(knot, placed, graph)]));
    mine.sort((a, b) => mean.get(a.id)! - mean.get(b.id)! || a.row - b.row).forEach((knot, row) => (knot.row = row));
  }
}

function centre(knot: Placed, placed: Map<number, Placed>, graph: Graph): number {
  const rows = graph.edges.flatMap((edge) => {
    const other = edge.source === knot.id ? edge.target : edge.target === knot.id ? edge.source : -1;
    const found = placed.get(other);
    return found?.side === "where" ? [found.row] : [];
  });
  return rows.length ? rows.reduce((sum, row) => sum + row, 0) / rows.length : knot.row;
}
