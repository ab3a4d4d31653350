/** The shapes of docs/api.md. */

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type Fields = { [key: string]: Json };

export const LEVELS = ["fatal", "error", "warn", "info", "debug", "trace"] as const;
export type Level = (typeof LEVELS)[number];

export interface Row {
  ref: string;
  stream: string;
  time: string;
  level: Level | null;
  message: string | null;
  record: Fields;
}

export interface Page {
  records: Row[];
  after: string | null;
  took_ms: number;
}

export interface Stream {
  name: string;
  rows: number;
  bytes: number;
  first: string | null;
  last: string | null;
}

export interface Field {
  name: string;
  type: string;
}

export interface Counts {
  interval_ms: number;
  from: string;
  to: string;
  series: string[];
  buckets: { time: string; counts: number[] }[];
  total: number;
  values: Record<string, Values>;
}

export interface Values {
  values: { value: Json; count: number }[];
  distinct: number;
  missing: number;
  total: number;
}

export interface Answer {
  schema: { name: string; type: string; alias?: string }[];
  datarows: Json[][];
  total: number;
  size: number;
  took_ms?: number;
  rows_scanned?: number;
  bytes_scanned?: number;
}

export interface Parsed {
  ok: true;
  kind: "records" | "table";
  sources: string[];
}

export interface Suggestion {
  text: string;
  kind: "command" | "field" | "function" | "value" | "stream" | "keyword" | "option";
  detail?: string;
  values?: string[];
}

export interface Completion {
  from: number;
  to: number;
  suggestions: Suggestion[];
}

export interface Span {
  span_id: string;
  parent_span_id: string | null;
  name: string;
  kind: string | null;
  service: string | null;
  start: string;
  duration_ns: number | string;
  status: Json;
  ref: string;
  attributes: Fields;
  events: Json[];
}

export interface Trace {
  trace_id: string;
  spans: Span[];
  logs: Row[];
}

export interface Position {
  offset: number;
  length: number;
}
