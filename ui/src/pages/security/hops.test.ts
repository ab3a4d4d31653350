import { expect, test } from "vitest";
import { findingOf } from "../../server/findings";
import { hopsOf } from "./hops";

const evidence = (field: string, span: string) => ({ stream: "spans", seq: 1, field, excerpt: "", spans: [], trace_id: "t", span_id: span });

test("a chain is named by what each record is", () => {
  const finding = findingOf({
    entities: { document: "d812", tool: ["read_mail", "send_email"] },
    facts: { followed: ["send_email"] },
    evidence: [
      evidence("attributes.gen_ai.retrieval.documents", "1"),
      evidence("attributes.gen_ai.tool.call.result", "2"),
      evidence("attributes.gen_ai.tool.call.result", "3"),
      evidence("attributes.gen_ai.tool.call.arguments", "4"),
      evidence("attributes.gen_ai.output.messages", "5"),
    ],
  }, "");
  expect(hopsOf(finding).map(({ kind, name }) => [kind, name])).toEqual([["document", "d812"], ["tool result", ""], ["tool call", "send_email"], ["answer", ""]]);
});
