import { expect, test } from "vitest";
import { lastAsked } from "./Messages";

test("what was asked is the last line that a user wrote", () => {
  const said = [{ role: "user", parts: [{ type: "text", content: "before" }] }, { role: "assistant", content: "yes" }, { role: "user", parts: [{ type: "text", content: "<document>long</document>\n\nQuestion: why?\n" }] }, { role: "tool", content: "{}" }];
  expect(lastAsked(JSON.stringify(said))).toBe("Question: why?");
  expect(lastAsked('[{"role":"user","parts":[{"cont')).toBe("");
  expect(lastAsked(undefined)).toBe("");
});
