import { expect, test } from "vitest";
import { brief } from "./brief";

test("a technique is shown without the edition of its framework", () => {
  expect(brief("owasp-llm@2026:LLM01")).toBe("OWASP LLM01");
  expect(brief("mitre-atlas@2026.09:AML.T0051.000")).toBe("ATLAS AML.T0051.000");
  expect(brief("our-own:T1")).toBe("our-own:T1");
  expect(brief("<script>")).toBe("<script>");
});
