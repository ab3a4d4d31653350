/** What the records of a finding are to each other: the way that a text took. */
import type { Evidence, Finding } from "../../server/findings";

// What a field of a span is to whoever reads the chain; the first pattern that fits counts.
const KINDS: readonly (readonly [RegExp, string, string])[] = [
  [/retrieval\.documents|retrieved|document/, "document", "document"],
  [/tool\.call\.result|tool.*(result|output)/, "tool result", ""],
  [/tool\.call\.arguments|tool.*(arguments|input)/, "tool call", "tool"],
  [/output\.messages|completion|output/, "answer", ""],
  [/system_instructions/, "instructions", ""],
  [/input\.messages|prompt|input/, "context", ""],
  [/memory/, "memory", ""],
];

/** The steps of the way, in the order of the evidence; records that say the same one after the other are one step. */
export function hopsOf(finding: Finding): { kind: string; name: string; item: Evidence }[] {
  const facts = finding.facts["followed"];
  const followed = Array.isArray(facts) ? facts.map(String) : [];
  const named = (kind: string) => finding.entities.filter(([key]) => key === kind).map(([, value]) => value);
  let tool = 0;
  const hops = finding.evidence.map((item) => {
    const [, kind, entity] = KINDS.find(([pattern]) => pattern.test(item.field)) ?? [null, item.field || "record", ""];
    const name = entity === "tool" ? (followed[tool++] ?? named("tool")[0] ?? "") : entity ? (named(entity)[0] ?? "") : "";
    return { kind, name, item };
  });
  return hops.filter((hop, index) => index === 0 || hop.kind !== hops[index - 1]!.kind || hop.name !== hops[index - 1]!.name);
}
