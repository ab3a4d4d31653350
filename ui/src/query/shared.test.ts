import { expect, test } from "vitest";
import { asAlert, asCommand, asCurl, asPanel, quoted } from "./shared";

const asked = { query: `source=logs body="it's" $(rm) \`x\``, from: "now-1h", to: "now" };

test("nothing in a query leaves the quotes of a shell", () => {
  expect(quoted("a'b")).toBe(`'a'\\''b'`);
  expect(asCommand(asked)).toBe(`treering query 'source=logs body="it'\\''s" $(rm) \`x\`' --from 'now-1h'`);
  expect(asCommand({ ...asked, to: "2026-11-24T08:00:00Z" })).toMatch(/--to '2026-11-24T08:00:00Z'$/);
  expect(asCurl(asked, "http://127.0.0.1:7600")).toContain(`"query":"source=logs body=\\"it'\\''s\\"`);
});

test("a query for records is counted by an alert and cut by a panel", () => {
  expect(asAlert(asked, false)).toContain(`query = "source=logs body=\\"it's\\" $(rm) \`x\` | stats count() as records"`);
  expect(asAlert({ ...asked, query: "source=logs | stats count()" }, true)).toContain(`query = "source=logs | stats count()"\n`);
  expect(asPanel(asked, false)).toContain("| head 100");
  expect(asPanel({ ...asked, query: 'a\n"b"' }, true)).toContain(`title = "a \\"b\\""\n`);
});
