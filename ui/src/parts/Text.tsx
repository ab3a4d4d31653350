import { useState } from "react";

const LIMIT = 600;
// Control characters (but tab and line feed), marks that turn the direction of text, invisible tags: they hide or
// reorder what a log says, so they are shown by their numbers.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]|[\u{e0000}-\u{e007f}]/gu;

/** `text` with every character that hides or reorders others written as `‹U+202E›`. */
export const shown = (text: string): string =>
  text.replace(/\r\n/g, "\n").replace(HIDDEN, (found) => `‹U+${found.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}›`);

/** Text from a log: never markup, and cut where it is long until the reader asks for all of it. */
export function Text({ text, limit = LIMIT, marks = [] }: { text: string; limit?: number; marks?: readonly string[] }) {
  const [all, setAll] = useState(false);
  const body = (part: string) => (marks.length ? <Marked text={part} marks={marks} /> : shown(part));
  if (text.length <= limit * 1.2) return <>{body(text)}</>;
  return (
    <>
      {body(all ? text : text.slice(0, limit))}
      {!all && "… "}
      <button type="button" className="text-button" onClick={() => setAll(!all)}>
        {all ? "show less" : `show all ${text.length.toLocaleString("en")} characters`}
      </button>
    </>
  );
}

/** Text with the places of `marks` in it (exact texts) marked. */
function Marked({ text, marks }: { text: string; marks: readonly string[] }) {
  const ranges: [number, number][] = [];
  for (const mark of marks) {
    for (let at = mark ? text.indexOf(mark) : -1; at >= 0 && ranges.length < 200; at = text.indexOf(mark, at + mark.length)) ranges.push([at, at + mark.length]);
  }
  return <Ranged text={text} ranges={ranges} />;
}

/** Text with character ranges marked; ranges may overlap and lie outside. */
export function Ranged({ text, ranges }: { text: string; ranges: readonly (readonly [number, number])[] }) {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const parts = [];
  let at = 0;
  for (const [start, end] of sorted) {
    const [low, high] = [Math.max(at, start), Math.min(text.length, end)];
    if (high <= low) continue;
    parts.push(shown(text.slice(at, low)), <mark key={low}>{shown(text.slice(low, high))}</mark>);
    at = high;
  }
  return <>{parts}{shown(text.slice(at))}</>;
}
