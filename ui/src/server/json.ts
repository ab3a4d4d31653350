/** JSON in and out without losing digits of 64-bit integers. */
import type { Json } from "./types";

const LONG_DIGITS = /\d{16}/;

/** Parse `text`; an integer that a JavaScript number cannot hold becomes the string of its digits. */
export function parseJson(text: string): Json {
  if (!LONG_DIGITS.test(text)) return JSON.parse(text) as Json;
  const exact = (_key: string, value: Json, context?: { source?: string }): Json => {
    const digits = context?.source;
    const lossy = typeof value === "number" && digits !== undefined && /^-?\d+$/.test(digits) && !Number.isSafeInteger(value);
    return lossy ? digits : value;
  };
  return JSON.parse(text, exact) as Json;
}

export type Token = { kind: "key" | "string" | "number" | "word" | "mark"; text: string };

const SCAN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]/g;

/** Cut JSON `text` into tokens laid out with two spaces a level; numbers keep the digits that were sent. */
export function layout(text: string): Token[] {
  const out: Token[] = [];
  let depth = 0;
  const marks = text.match(SCAN) ?? [];
  const newline = () => out.push({ kind: "mark", text: `\n${"  ".repeat(depth)}` });
  marks.forEach((mark, index) => {
    const next = marks[index + 1];
    const before = marks[index - 1];
    if (mark === "{" || mark === "[") {
      out.push({ kind: "mark", text: mark });
      depth += 1;
      if (next !== "}" && next !== "]") newline();
    } else if (mark === "}" || mark === "]") {
      depth -= 1;
      if (before !== "{" && before !== "[") newline();
      out.push({ kind: "mark", text: mark });
    } else if (mark === ",") {
      out.push({ kind: "mark", text: mark });
      newline();
    } else if (mark === ":") {
      out.push({ kind: "mark", text: ": " });
    } else if (mark.startsWith('"')) {
      out.push({ kind: next === ":" ? "key" : "string", text: mark });
    } else {
      out.push({ kind: /^[-\d]/.test(mark) ? "number" : "word", text: mark });
    }
  });
  return out;
}

/** The text of the member `name` of the JSON object in `text`, as it was sent; null when it has none. */
export function member(text: string, name: string): string | null {
  let depth = 0;
  let start = -1;
  SCAN.lastIndex = 0;
  for (let found = SCAN.exec(text), wanted = false; found; found = SCAN.exec(text)) {
    const mark = found[0];
    if (start < 0 && wanted && mark !== ":") start = found.index;
    if (mark === "{" || mark === "[") depth += 1;
    if (mark === "}" || mark === "]") depth -= 1;
    if (start >= 0 && depth === 1) return text.slice(start, found.index + mark.length);
    if (start < 0 && depth === 1 && mark !== ":") wanted = mark === JSON.stringify(name) && /^\s*:/.test(text.slice(SCAN.lastIndex));
  }
  return null;
}
