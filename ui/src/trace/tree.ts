/** A trace as a tree: who called whom, when, for how long, at what price in tokens. */
import type { Fields, Json, Span } from "../server/types";
import { nanos } from "../time/times";

export interface Node {
  span: Span;
  depth: number;
  children: Node[];
  /** Nanoseconds after the trace's first start. */
  start: number;
  duration: number;
  failed: boolean;
  /** Its parent is named but not among the spans. */
  orphan: boolean;
}

export interface Tree {
  roots: Node[];
  nodes: Node[];
  length: number;
  failures: number;
  services: string[];
  tokens: number;
}

const statusText = (status: Json): string => {
  if (typeof status === "object" && status !== null && !Array.isArray(status)) return String(status["code"] ?? "");
  return String(status ?? "");
};

/** Whether a span ended in an error, in any of the ways status is written. */
export function hasFailed(span: Span): boolean {
  return /^(2|error|STATUS_CODE_ERROR)$/i.test(statusText(span.status)) || Object.hasOwn(span.attributes, "error.type");
}

/** `OK`, `ERROR` or nothing. */
export const statusOf = (span: Span): string => {
  const text = statusText(span.status).replace(/^STATUS_CODE_/i, "");
  return ({ "0": "", "1": "OK", "2": "ERROR", UNSET: "" } as Record<string, string>)[text.toUpperCase()] ?? text;
};

const count = (attributes: Fields, ...names: string[]): number => {
  for (const name of names) {
    const value = Number(attributes[name]);
    if (attributes[name] !== undefined && attributes[name] !== null && Number.isFinite(value)) return value;
  }
  return 0;
};

export interface Model {
  operation: string;
  model: string;
  input: number;
  output: number;
}

/** What a model call did, or null when the span is none. Old and new names of the conventions are read alike. */
export function modelOf({ attributes }: Span): Model | null {
  const text = (...names: string[]) => names.map((name) => attributes[name]).find((value) => typeof value === "string") as string | undefined;
  const operation = text("gen_ai.operation.name");
  const model = text("gen_ai.response.model", "gen_ai.request.model", "llm.model_name");
  if (!operation && !model) return null;
  return {
    operation: operation ?? "",
    model: model ?? "",
    input: count(attributes, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    output: count(attributes, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"),
  };
}

export type SpanKind = "model" | "agent" | "tool" | "retrieval" | "embedding" | "server" | "client" | "work";

/** The kind that decides a span's sign. */
export function kindOf(span: Span): SpanKind {
  const operation = String(span.attributes["gen_ai.operation.name"] ?? "");
  if (/embed/.test(operation)) return "embedding";
  if (/tool/.test(operation)) return "tool";
  if (/agent|workflow|plan/.test(operation)) return "agent";
  if (/retriev|memory|search/.test(operation) || Object.hasOwn(span.attributes, "db.system.name") || Object.hasOwn(span.attributes, "db.system")) return "retrieval";
  if (operation || modelOf(span)) return "model";
  const kind = String(span.kind ?? "");
  return /server|consumer|^2$|^5$/i.test(kind) ? "server" : /client|producer|^3$|^4$/i.test(kind) ? "client" : "work";
}

/** Whether a span is a model call itself: an agent's span repeats the tokens and the cost of the calls inside it. */
export const isInnermost = (node: Node): boolean => modelOf(node.span) !== null && !node.children.some((child) => modelOf(child.span));

/** Build the tree. A span whose parent is missing, itself or part of a ring becomes a root: every span is shown once. */
export function buildTree(spans: readonly Span[]): Tree {
  const starts = spans.map((span) => nanos(span.start) ?? 0n);
  const first = starts.reduce((least, start) => (start < least ? start : least), starts[0] ?? 0n);
  const all = spans.map((span, index): Node => ({
    span, depth: 0, children: [], start: Number(starts[index]! - first), duration: Math.max(0, Number(span.duration_ns) || 0), failed: hasFailed(span), orphan: false,
  }));
  const byId = new Map(all.map((node) => [node.span.span_id, node]));
  const roots: Node[] = [];
  for (const node of all) {
    const parent = node.span.parent_span_id ? byId.get(node.span.parent_span_id) : undefined;
    if (parent && parent !== node) parent.children.push(node);
    else {
      node.orphan = Boolean(node.span.parent_span_id);
      roots.push(node);
    }
  }
  const nodes: Node[] = [];
  const seen = new Set<Node>();
  const walk = (from: Node) => {
    const stack: [Node, number][] = [[from, 0]];
    for (let next = stack.pop(); next; next = stack.pop()) {
      const [node, depth] = next;
      if (seen.has(node)) continue;
      seen.add(node);
      node.depth = depth;
      node.children = node.children.filter((child) => !seen.has(child)).sort((a, b) => a.start - b.start);
      nodes.push(node);
      for (const child of [...node.children].reverse()) stack.push([child, depth + 1]);
    }
  };
  roots.sort((a, b) => a.start - b.start).forEach(walk);
  for (const node of all) {
    if (seen.has(node)) continue;
    node.orphan = true;
    roots.push(node);
    walk(node);
  }
  return {
    roots,
    nodes,
    length: Math.max(1, ...nodes.map((node) => node.start + node.duration)),
    failures: nodes.filter((node) => node.failed).length,
    services: [...new Set(nodes.map((node) => node.span.service ?? "unknown"))],
    tokens: nodes.filter(isInnermost).map(({ span }) => modelOf(span)!).reduce((sum, used) => sum + used.input + used.output, 0),
  };
}

/** The nodes that are visible when the spans in `closed` are folded. */
export function visible(tree: Tree, closed: ReadonlySet<string>): Node[] {
  const out: Node[] = [];
  let skip = Infinity;
  for (const node of tree.nodes) {
    if (node.depth > skip) continue;
    skip = closed.has(node.span.span_id) ? node.depth : Infinity;
    out.push(node);
  }
  return out;
}
