import { expect, test } from "vitest";
import { picture, sideOf } from "./ties";

const node = (id: number, kind: string, value = `${kind}-${id}`) => ({ id, kind, value, risk: 10 - id, findings: 2, identity: true });

test("who, where and what stand on their sides", () => {
  const graph = { nodes: [node(0, "user"), node(1, "service"), node(2, "document"), node(3, "service")], edges: [{ source: 0, target: 1, findings: 3 }, { source: 1, target: 3, findings: 1 }] };
  const drawn = picture(graph);
  expect(drawn.knots.map((knot) => knot.side)).toEqual(["who", "where", "where", "what"]);
  expect(drawn.ties.map((tie) => [tie.from.id, tie.to.id, tie.findings])).toEqual([[0, 1, 3]]);
  expect(drawn.rows).toBe(2);
});

test("people stand near what they touched", () => {
  const nodes = [node(0, "user"), node(1, "user"), node(2, "service"), node(3, "service")];
  const drawn = picture({ nodes, edges: [{ source: 0, target: 3, findings: 1 }, { source: 1, target: 2, findings: 1 }] });
  expect(drawn.knots.filter((knot) => knot.side === "who").map((knot) => knot.id)).toEqual([1, 0]);
});

test("there is room for fourteen of a side, traces last", () => {
  const nodes = Array.from({ length: 40 }, (_, id) => node(id, id < 20 ? "trace" : "document"));
  const drawn = picture({ nodes, edges: [] });
  expect(drawn.knots).toHaveLength(14);
  expect(drawn.knots.every((knot) => knot.kind === "document")).toBe(true);
  expect(drawn.left).toBe(26);
  expect(sideOf("something else")).toBe("what");
});
