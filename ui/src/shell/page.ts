/** What every page but Explore has in common: a time range, a way to ask again, queries answered together. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { createContext, useContext } from "react";
import { call } from "../server/client";
import type { Answer } from "../server/types";
import { millis } from "../time/times";

export interface PageState {
  from: string;
  to: string;
  /** Changes when the reader asks again. */
  tick: number;
  dark: boolean;
  /** The length of a bucket as PPL writes it. */
  span: string;
  refresh: () => void;
  /** Whether the time before is covered by records. */
  compare: boolean;
  /** How many records there are in all, null until that is known. */
  records: number | null;
}

export const PageContext = createContext<PageState>({ from: "now-24h", to: "now", tick: 0, dark: false, span: "30m", refresh: () => {}, compare: false, records: null });
export const usePage = (): PageState => useContext(PageContext);

export interface Fault {
  type: string;
  message: string;
  hint?: string;
}

export type Reply = Answer | { error: Fault };
export type Replies = Readonly<Record<string, Reply>>;

export interface Asked {
  query: string;
  from?: string;
  to?: string;
  limit?: number;
}

const STEPS: readonly (readonly [number, string])[] = [
  [1, "s"], [5, "s"], [10, "s"], [30, "s"], [1, "m"], [2, "m"], [5, "m"], [10, "m"], [15, "m"], [30, "m"],
  [1, "h"], [2, "h"], [6, "h"], [12, "h"], [1, "d"], [7, "d"], [30, "d"],
];
const SIZES: Readonly<Record<string, number>> = { s: 1e3, m: 60e3, h: 3600e3, d: 86400e3 };
const BUCKETS = 80;

/** Both ends of a range in milliseconds. */
export function ends(from: string, to: string): [number, number] {
  const now = Date.now();
  const end = millis(to, now) ?? now;
  return [millis(from, now) ?? end - 3600e3, end];
}

/** The bucket that cuts a range into about eighty. */
export function bucketOf(from: string, to: string): string {
  const [start, end] = ends(from, to);
  const [count, unit] = STEPS.find(([amount, name]) => end - start <= amount * SIZES[name]! * BUCKETS) ?? STEPS.at(-1)!;
  return `${count}${unit}`;
}

/** Milliseconds of a bucket. */
export const bucketMs = (span: string): number => Number(span.slice(0, -1)) * (SIZES[span.slice(-1)] ?? 1);

/** The range of equal length just before; relative where the range is, so that it stays the same text. */
export function before(from: string, to: string): { from: string; to: string } {
  const relative = /^now-(\d+)([smhdw])$/.exec(from);
  if (relative && to === "now") return { from: `now-${2 * Number(relative[1])}${relative[2]}`, to: from };
  const [start, end] = ends(from, to);
  return { from: new Date(2 * start - end).toISOString(), to: new Date(start).toISOString() };
}

/** Whether records reach back far enough for a fair comparison with the time before. */
export function comparable(from: string, to: string, first: number | null): boolean {
  const [start, end] = ends(from, to);
  return from !== "" && first !== null && first <= start - (end - start) * 0.95;
}

/** Several queries in one call; each has its own answer or error. */
export function useReplies(name: string, queries: Readonly<Record<string, Asked | string>>, enabled = true) {
  const { from, to, tick } = usePage();
  const asked = Object.fromEntries(Object.entries(queries).map(([key, value]) => [key, typeof value === "string" ? { query: value } : value]));
  return useQuery({
    queryKey: ["queries", name, asked, from, to, tick],
    enabled: enabled && from !== "",
    queryFn: ({ signal }) => call<{ answers: Replies; took_ms: number }>("/api/queries", { queries: asked, from, to, limit: 5000 }, signal),
    placeholderData: keepPreviousData,
  });
}

/** Whether a query failed only because nobody has sent such records or fields yet. */
export const isAbsent = (fault: Fault): boolean => /^(unknown field|no stream named)/.test(fault.message);

export const answerOf = (reply: Reply | undefined): Answer | null => (reply && !("error" in reply) ? reply : null);

/** The columns `names` of a reply, in their order (`first_p50=p50` renames); one query can so feed several charts. */
export function pick(reply: Reply | undefined, ...names: string[]): Reply | undefined {
  const answer = answerOf(reply);
  if (!answer) return reply;
  const wanted = names.map((name) => name.split("=") as [string, string?]);
  const at = wanted.map(([name]) => answer.schema.findIndex((column) => (column.alias ?? column.name) === name)).filter((place) => place >= 0);
  const figures = at.filter((place) => /int|float|double|long|short/i.test(answer.schema[place]!.type));
  const rows = answer.datarows.filter((row) => figures.length === 0 || figures.some((place) => row[place] !== null));
  return { ...answer, schema: at.map((place, index) => ({ ...answer.schema[place]!, name: wanted[index]?.[1] ?? answer.schema[place]!.name })), datarows: rows.map((row) => at.map((place) => row[place] ?? null)) };
}

/** Records from which on a page looks at a sample where it must read long texts. */
const MANY = 300_000;

/** A condition that leaves a sample of each bucket: for what must read long texts of many records. The server has the same. */
export function sampleOf(span: string, records: number): string | null {
  const count = Number(span.slice(0, -1));
  if (records < MANY || span.endsWith("s") || (span.endsWith("m") && count < 5)) return null;
  if (span.endsWith("m")) return `minute(@timestamp) % ${count} = ${Math.floor(count / 2)} and second(@timestamp) < 30`;
  return `minute(@timestamp) = 7 and second(@timestamp) < 30 and hour(@timestamp) % ${span.endsWith("h") ? count : 6} = 0`;
}

/** The rows of an answer as objects by column name. */
export function rowsOf(reply: Reply | undefined): Record<string, Answer["datarows"][number][number]>[] {
  const answer = answerOf(reply);
  if (!answer) return [];
  return answer.datarows.map((row) => Object.fromEntries(answer.schema.map((column, at) => [column.alias ?? column.name, row[at] ?? null])));
}

/** The first number that an answer has in the column `name`; null when there is none. */
export function numberOf(reply: Reply | undefined, name: string): number | null {
  const value = rowsOf(reply)[0]?.[name];
  return value === null || value === undefined || !Number.isFinite(Number(value)) ? null : Number(value);
}
