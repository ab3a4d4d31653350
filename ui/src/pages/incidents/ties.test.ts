import { expect, test } from "vitest";
import { picture, seen, sideOf } from "./ties";

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

test("at rest each entity shows its strongest tie, in focus all of its own and no other", () => {
  const nodes = [node(0, "user"), node(1, "user"), node(2, "service"), node(3, "model"), node(4, "tool")];
  const edges = [{ source: 0, target: 2, findings: 5 }, { source: 0, target: 3, findings: 1 }, { source: 1, target: 2, findings: 2 }, { source: 1, target: 3, findings: 3 }, { source: 1, target: 4, findings: 1 }];
  const drawn = picture({ nodes, edges });
  const pairs = (at: number | null) => seen(drawn, at).map((tie) => [tie.from.id, tie.to.id]);
  expect(pairs(null)).toEqual([[0, 2], [1, 3], [1, 4]]);
  expect(pairs(0)).toEqual([[0, 2], [0, 3]]);
  expect(pairs(2)).toEqual([[0, 2], [1, 2]]);
});
