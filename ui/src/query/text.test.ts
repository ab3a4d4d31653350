import { expect, test } from "vitest";
import { hasSource, located, narrowed, sent } from "./text";

test.each([
  ["", "logs", "source=logs "],
  ["error", "spans", "source=spans error"],
  ["search error", "spans", "search source=spans error"],
  ["where a = 1", "logs", "source=logs | where a = 1"],
  ["| stats count()", "logs", "source=logs | stats count()"],
  ["source=accounts age > 3", "logs", "source=accounts age > 3"],
  ["error index = a", "logs", "error index = a"],
  ['"source=x"', "logs", 'source=logs "source=x"'],
  ["x", "my stream", "source=`my stream` x"],
  ["describe logs", "spans", "describe logs"],
])("%j on %s is sent as %j", (text, stream, query) => expect(sent(text, stream).query).toBe(query));

test("a source in a later command is not the query's own", () => {
  expect(hasSource("error | lookup source=x")).toBe(false);
});

test("an error's place is given in the person's own text, past characters of two units", () => {
  const text = "a=\"😀\" sevice=1";
  const out = sent(text, "spans");
  const offset = Array.from(out.query).join("").indexOf("sevice") - 1; // the API counts 😀 as one
  expect(located({ offset, length: 6 }, out, text)).toEqual({ from: text.indexOf("sevice"), to: text.indexOf("sevice") + 6 });
  expect(located({ offset: 999, length: 1 }, out, text)).toEqual({ from: text.length - 1, to: text.length });
});

test.each([
  ["", "serviceName", "rag", false, 'serviceName="rag"'],
  ["error", "serviceName", "rag", false, 'error serviceName="rag"'],
  ["a OR b", "serviceName", "rag", false, '(a OR b) serviceName="rag"'],
  ["source=logs a OR b", "n", 3, false, "source=logs (a OR b) n=3"],
  ['serviceName="rag"', "serviceName", "rag", true, 'NOT serviceName="rag"'],
  ['x NOT serviceName="rag" y', "serviceName", "rag", false, 'x serviceName="rag" y'],
  ['serviceName="rag"', "serviceName", "rag", false, 'serviceName="rag"'],
  ["error | stats count()", "ok", true, true, "error NOT ok=true | stats count()"],
  ["| stats count()", "a", "b", false, 'a="b" | stats count()'],
  ["where x = 1", "a", "b", false, 'a="b" | where x = 1'],
  ["", "body", 'say "hi*"', false, 'where body = "say \\"hi*\\""'],
  ["error", "traceId", null, false, "error | where traceId is null"],
  ["", "attributes.gen_ai.prompt.0.content", "x", false, '`attributes.gen_ai.prompt.0.content`="x"'],
])("%j narrowed by the keyword %s=%j (exclude: %s)", (text, field, value, exclude, result) => {
  expect(narrowed(text, field, value, exclude, "keyword")).toBe(result);
});

test.each([
  ["", "rag", false, 'where serviceName = "rag"'],
  ["error | stats count()", "rag", false, 'error | where serviceName = "rag" | stats count()'],
  ['where serviceName = "rag"', "rag", true, 'where serviceName is null OR serviceName != "rag"'],
  ['error | where serviceName is null OR serviceName != "rag" | head 5', "rag", false, 'error | where serviceName = "rag" | head 5'],
  ['error | where serviceName = "rag"', "rag", false, 'error | where serviceName = "rag"'],
  ['where serviceName = "rag"', "ragger", false, 'where serviceName = "ragger" | where serviceName = "rag"'],
])("%j narrowed by the text %j (exclude: %s), compared whole", (text, value, exclude, result) => {
  expect(narrowed(text, "serviceName", value, exclude, "text")).toBe(result);
});

test("a long integer is written as a number where the field is one", () => {
  expect(narrowed("", "n", "9223372036854775807", false, "long")).toBe("n=9223372036854775807");
  expect(narrowed("", "n", "9223372036854775807", false, "keyword")).toBe('n="9223372036854775807"');
});
