import { expect, test } from "vitest";
import type { Span } from "../server/types";
import { buildTree, visible } from "./tree";

const span = (id: string, parent: string | null, ms = 0): Span => ({
  span_id: id, parent_span_id: parent, name: id, kind: null, service: "s", start: `2026-11-24T08:00:00.${String(ms).padStart(3, "0")}000001Z`,
  duration_ns: 5_000_000, status: null, ref: `spans/${id}`, attributes: {}, events: [],
});

test("children stand under their parents in order of start", () => {
  const tree = buildTree([span("c", "a", 9), span("b", "a", 3), span("a", null), span("d", "b", 4)]);
  expect(tree.nodes.map((node) => [node.span.span_id, node.depth, node.start])).toEqual([["a", 0, 0], ["b", 1, 3e6], ["d", 2, 4e6], ["c", 1, 9e6]]);
  expect(visible(tree, new Set(["b"])).map((node) => node.span.span_id)).toEqual(["a", "b", "c"]);
});

test("missing parents, rings, spans that are their own parent and equal ids lose no span", () => {
  const tree = buildTree([span("x", "gone"), span("p", "q", 1), span("q", "p", 2), span("me", "me", 3), span("x", "gone", 4)]);
  expect(tree.nodes).toHaveLength(5);
  expect(tree.nodes.filter((node) => node.orphan)).not.toHaveLength(0);
});
