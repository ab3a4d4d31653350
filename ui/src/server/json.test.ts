import { expect, test } from "vitest";
import { layout, member, parseJson } from "./json";

test("integers beyond a double's keep their digits, others stay numbers", () => {
  // The digits come from the reviver's context, which this Node may not have yet; browsers since 2023 to 2025 do.
  const exact = parseJson('{"a":9007199254740993,"b":12,"c":1.5,"d":"1234567890123456789"}') as Record<string, unknown>;
  expect(exact["b"]).toBe(12);
  expect(exact["c"]).toBe(1.5);
  expect(exact["d"]).toBe("1234567890123456789");
});

test("the layout keeps every lexeme", () => {
  const text = '{"a":[1.0,9223372036854775807,{}],"b":"x \\" } y","c":null,"d":[]}';
  const out = layout(text).map((token) => token.text).join("");
  expect(out.replace(/\n\s*/g, "").replace(/: /g, ":")).toBe(text);
  expect(JSON.parse(out.replace("9223372036854775807", "1"))).toEqual(JSON.parse(text.replace("9223372036854775807", "1")));
});

test("a member is cut out as it was sent", () => {
  const record = '{"ref":1.0,"record":{"record":"no"},"x":[1]}';
  expect(member(`{"ref":"logs/1","note":"record","record":${record},"z":1}`, "record")).toBe(record);
  expect(member('{"a":1}', "record")).toBeNull();
});
