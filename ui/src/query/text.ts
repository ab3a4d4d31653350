/** Reading and changing the text of a PPL query without a parser of the whole language: the server has that one. */
import type { Json, Position } from "../server/types";

/** Words that start a command; a query that begins with one of them has no search expression. */
export const COMMANDS = [
  "search", "where", "fields", "table", "eval", "stats", "eventstats", "streamstats", "timechart", "chart", "sort", "head",
  "reverse", "dedup", "top", "rare", "rename", "parse", "grok", "rex", "regex", "patterns", "bin", "fillnull", "flatten", "expand",
  "join", "lookup", "append", "appendcol", "subquery", "trendline", "diff", "trace", "anomalies", "drift", "describe", "show",
  "makeresults", "multisearch", "replace", "spath", "mvexpand", "addtotals",
] as const;

const SELF_SOURCED = new Set(["describe", "show", "makeresults", "multisearch", "explain"]);
const SOURCE = /^(?:search\s+)?(?:(?:source|index)\s*=\s*(?:`[^`]*`|[^\s|]+(?:\s*,\s*[^\s|]+)*)\s*)?/i;

/** Where the quoted parts, brackets and pipes of `text` are: calls `see` for every character outside quotes. */
function scan(text: string, see: (char: string, index: number, depth: number) => void): void {
  let quote = "";
  let depth = 0;
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index]!;
    if (quote) {
      if (char === "\\" && quote !== "`") index += 1;
      else if (char === quote) quote = "";
    } else if (char === '"' || char === "'" || char === "`") quote = char;
    else {
      if (char === ")" || char === "]") depth -= 1;
      see(char, index, depth);
      if (char === "(" || char === "[") depth += 1;
    }
  }
}

/** The length of the part before the first pipe. */
function headLength(text: string): number {
  let end = text.length;
  scan(text, (char, index, depth) => {
    if (char === "|" && depth <= 0 && end === text.length) end = index;
  });
  return end;
}

const firstWord = (text: string): string => /^\s*([a-z]+)(?=\s|$)/i.exec(text)?.[1]?.toLowerCase() ?? "";

/** Whether the first command of `text` is not a search expression (`where …`, `stats …`). */
function startsWithCommand(text: string): boolean {
  const word = firstWord(text);
  return word !== "search" && (COMMANDS as readonly string[]).includes(word);
}

/** Whether the query itself says which streams it reads. */
export function hasSource(text: string): boolean {
  if (SELF_SOURCED.has(firstWord(text))) return true;
  let found = false;
  const head = text.slice(0, headLength(text));
  scan(head, (_char, index) => {
    if (!found && (index === 0 || /[\s(]/.test(head[index - 1]!)) && /^(source|index)\s*=/i.test(head.slice(index))) found = true;
  });
  return found;
}

const streamName = (name: string): string => (/^[A-Za-z_][\w.\-]*$/.test(name) ? name : `\`${name}\``);

export interface Sent {
  /** The query with its source. */
  query: string;
  /** Turn a position in `query` back into one in the text that the person wrote. Both count UTF-16 units. */
  back: (offset: number) => number;
}

/** The text as it is sent: with `source=` of the chosen stream when it names none. */
export function sent(text: string, stream: string): Sent {
  if (hasSource(text)) return { query: text, back: (offset) => offset };
  const source = `source=${streamName(stream)}`;
  const searches = /^\s*search\b\s*/i.exec(text);
  const at = searches ? searches[0].length : 0;
  const rest = text.slice(at);
  const pipe = startsWithCommand(rest) && !searches ? " | " : " ";
  const added = source + pipe;
  return {
    query: text.slice(0, at) + added + rest,
    back: (offset) => (offset <= at ? offset : Math.max(at, offset - added.length)),
  };
}

/** An API position counts characters (code points); the editor counts UTF-16 units. */
export function toUnits(text: string, characters: number): number {
  return Array.from(text).slice(0, characters).join("").length;
}

/** The reverse of `toUnits`. */
export function toCharacters(text: string, units: number): number {
  return Array.from(text.slice(0, units)).length;
}

/** The range of an error in the person's own text, always at least one character wide and inside it. */
export function located(position: Position, from: Sent, text: string): { from: number; to: number } {
  const start = toUnits(from.query, position.offset);
  const end = toUnits(from.query, position.offset + Math.max(position.length, 1));
  const left = Math.min(Math.max(from.back(start), 0), text.length);
  const right = Math.min(Math.max(from.back(end), left), text.length);
  return right > left ? { from: left, to: right } : { from: Math.max(0, left - 1), to: left };
}

/** A field name, quoted where its characters need it. */
export function fieldName(name: string): string {
  return /^[@A-Za-z_][\w@]*(\.[A-Za-z_@][\w@]*)*$/.test(name) ? name : `\`${name.replace(/`/g, "")}\``;
}

const NUMERIC = new Set(["long", "integer", "short", "byte", "double", "float", "half_float", "scaled_float", "unsigned_long", "bigint", "int"]);
// Search expressions compare the words of analysed text; only these types are compared whole there.
const WHOLE = new Set([...NUMERIC, "keyword", "boolean", "ip"]);
const PLAIN = /^[\p{L}\p{N} _\-./:@,;#+=&%$()[\]{}]+$/u;

/** A value as PPL writes it. Long integers come as strings: the field's `type` tells them from text. */
export function literal(value: Json, type?: string): string {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (type && NUMERIC.has(type) && /^-?\d+$/.test(text)) return text;
  return `"${text.replace(/[\\"]/g, "\\$&")}"`;
}

interface Filter {
  /** Goes into the search expression. */
  search?: string;
  /** Goes behind a pipe. */
  where?: string;
}

function filter(field: string, value: Json, exclude: boolean, type?: string): Filter {
  const name = fieldName(field);
  if (value === null) return { where: exclude ? `${name} is not null` : `${name} is null` };
  const written = literal(value, type);
  // Wildcards and escapes mean something in a search expression, too; `where` compares exactly.
  if (typeof value === "string" && !(WHOLE.has(type ?? "") && PLAIN.test(value)))
    return { where: exclude ? `${name} is null OR ${name} != ${written}` : `${name} = ${written}` };
  return { search: exclude ? `NOT ${name}=${written}` : `${name}=${written}` };
}

const hasTopLevelOr = (text: string): boolean => {
  let found = false;
  scan(text, (_char, index, depth) => {
    if (depth <= 0 && /^\sOR\s/i.test(text.slice(index, index + 4))) found = true;
  });
  return found;
};

function addSearch(head: string, clause: string, opposite: string): string {
  const lead = SOURCE.exec(head)?.[0] ?? "";
  const rest = head.slice(lead.length).trim();
  const source = lead.trim();
  if (!rest) return [source, clause].filter(Boolean).join(" ");
  const padded = ` ${rest} `;
  const without = padded.split(` ${opposite} `);
  const bare = opposite.startsWith("NOT ") || !padded.includes(` NOT ${opposite} `);
  if (without.length === 2 && bare) return [source, without[0]!.trim(), clause, without[1]!.trim()].filter(Boolean).join(" ");
  if (padded.includes(` ${clause} `) && (clause.startsWith("NOT ") || !padded.includes(` NOT ${clause} `))) return head.trim();
  return [source, hasTopLevelOr(rest) ? `(${rest})` : rest, clause].filter(Boolean).join(" ");
}

/** `text` narrowed to records with this value, or without it; the opposite filter, if there, is replaced. */
export function narrowed(text: string, field: string, value: Json, exclude: boolean, type?: string): string {
  const { search, where } = filter(field, value, exclude, type);
  const end = startsWithCommand(text) ? 0 : headLength(text);
  const head = text.slice(0, end).trim();
  const tail = end === 0 && startsWithCommand(text) ? `| ${text.trim()}` : text.slice(end).trim();
  if (where !== undefined) {
    const step = `| where ${where}`;
    const opposed = `| where ${filter(field, value, !exclude, type).where ?? ""}`;
    if (`${tail} |`.includes(`${opposed} |`)) return `${head} ${`${tail} |`.replace(`${opposed} |`, `${step} |`).slice(0, -2)}`.trim().replace(/^\| where/, "where");
    return `${tail} |`.includes(`${step} |`) ? text : [head, step, tail].filter(Boolean).join(" ").replace(/^\| /, head ? "| " : "");
  }
  const opposite = filter(field, value, !exclude, type).search!;
  return [addSearch(head, search!, opposite), tail].filter(Boolean).join(" ");
}
