/** A table answer as something to draw: lines over time, or bars by name. */
import type { Answer, Json } from "../server/types";
import { millis } from "../time/times";

export interface OverTime {
  kind: "time";
  times: number[];
  series: { name: string; values: (number | null)[] }[];
  /** Series left out because a chart with more cannot be read. */
  more: number;
}

export interface ByName {
  kind: "names";
  value: string;
  bars: { name: string; value: number }[];
  more: number;
}

const SERIES = 12;
const BARS = 40;
const NUMERIC = /^(tinyint|smallint|int|integer|bigint|long|short|byte|float|double|half_float|scaled_float|unsigned_long)$/i;

export const isNumber = (type: string): boolean => NUMERIC.test(type);
const isTime = (type: string): boolean => /^(timestamp|date|date_nanos|datetime)$/i.test(type);
const nameOf = (value: Json): string => (value === null ? "(none)" : typeof value === "string" ? value : JSON.stringify(value));
const amount = (value: Json | undefined): number | null => (value === null || value === undefined || !Number.isFinite(Number(value)) ? null : Number(value));

function overTime(answer: Answer, at: number, numbers: readonly number[], by: readonly number[]): OverTime {
  const series = new Map<string, Map<number, number | null>>();
  const times = new Set<number>();
  for (const row of answer.datarows) {
    const time = typeof row[at] === "string" ? millis(row[at]) : amount(row[at]);
    if (time === null) continue;
    times.add(time / 1e3);
    const group = by.map((index) => nameOf(row[index] ?? null)).join(" · ");
    for (const index of numbers) {
      const column = answer.schema[index]!.alias ?? answer.schema[index]!.name;
      const name = group ? (numbers.length > 1 ? `${group} · ${column}` : group) : column;
      if (!series.has(name)) series.set(name, new Map());
      series.get(name)!.set(time / 1e3, amount(row[index]));
    }
  }
  const sorted = [...times].sort((a, b) => a - b);
  const sum = (points: Map<number, number | null>) => [...points.values()].reduce<number>((total, value) => total + (value ?? 0), 0);
  const loud = [...series].sort((a, b) => sum(b[1]) - sum(a[1]));
  return {
    kind: "time",
    times: sorted,
    series: loud.slice(0, SERIES).map(([name, points]) => ({ name, values: sorted.map((time) => points.get(time) ?? null) })),
    more: Math.max(0, loud.length - SERIES),
  };
}

/** Numbers that a query groups by, as `stats count() by span(…), http.response.status_code`: fields' names, after the figures. */
function groupsBy(answer: Answer, time: number): Set<number> {
  const numeric = answer.schema.map((column, index) => ({ ...column, index })).filter((column) => isNumber(column.type));
  const after = Math.max(time, numeric[0]?.index ?? 0);
  return new Set(numeric.filter((column) => column.index > after && (numeric[0]!.index < time || time < 0) && /^[\w@-]+(\.[\w@-]+)+$/.test(column.name)).map((column) => column.index));
}

/** How `answer` can be drawn, or null when it cannot; `few` also draws a single row or instant. */
export function drawable(answer: Answer, few = false): OverTime | ByName | null {
  if (answer.datarows.length < (few ? 1 : 2)) return null;
  const columns = answer.schema.map((column, index) => ({ ...column, index }));
  const time = columns.find((column) => isTime(column.type));
  const groups = groupsBy(answer, time?.index ?? -1);
  const numbers = columns.filter((column) => isNumber(column.type) && !groups.has(column.index)).map((column) => column.index);
  const by = columns.filter((column) => column !== time && !numbers.includes(column.index)).map((column) => column.index);
  if (numbers.length === 0 || by.length > 2) return null;
  if (time) {
    const drawn = overTime(answer, time.index, numbers, by);
    return drawn.times.length > (few ? 0 : 1) ? drawn : null;
  }
  if (by.length === 0) return null;
  const value = numbers[0]!;
  const bars = answer.datarows.map((row) => ({ name: by.map((index) => nameOf(row[index] ?? null)).join(" · "), value: amount(row[value]) ?? 0 }));
  return { kind: "names", value: columns[value]!.alias ?? columns[value]!.name, bars: bars.slice(0, BARS), more: Math.max(0, bars.length - BARS) };
}

/** `answer` as CSV (RFC 4180). A cell that a spreadsheet would run as a formula gets a quote before it. */
export function csv(answer: Answer): string {
  const cell = (value: Json): string => {
    const text = value === null ? "" : nameOf(value);
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(value) && !Number.isFinite(Number(value)) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
  };
  return [answer.schema.map((column) => column.alias ?? column.name), ...answer.datarows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}
