import { expect, test } from "vitest";
import { blocks } from "./Markdown";

const kinds = (text: string) => blocks(text).map((block) => block.kind);

test("blocks are told apart by their first characters", () => {
  expect(kinds("# One\ntext\nmore\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- x\n- y\n")).toEqual(["heading", "text", "table", "list"]);
});

test("what stands in a fence is code, headings and tables included", () => {
  const found = blocks("```ppl\n# no heading\n| where a = 1\n```\nafter");
  expect(found.map((block) => block.kind)).toEqual(["code", "text"]);
  expect(found[0]!.lines).toEqual(["# no heading", "| where a = 1"]);
});

test("a fence that never ends loses nothing", () => {
  expect(blocks("```\nlost?")[0]!.lines).toEqual(["lost?"]);
});

test("a quotation ends where its paragraph ends", () => {
  expect(kinds("said\n\n> _Who noticed?_\n\n> _What else?_\n\nsaid")).toEqual(["text", "quote", "quote", "text"]);
});
