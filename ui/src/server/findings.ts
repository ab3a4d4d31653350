/** Findings: the records of the stream `findings` as the pages use them. */
import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { fieldAt } from "../records/paths";
import { call, Failure } from "./client";
import type { Fields, Json, Page, Row } from "./types";

export const SEVERITIES = ["critical", "high", "medium", "low", "informational"] as const;
export const STATES = ["new", "confirmed", "dismissed", "closed"] as const;
export type FindingState = (typeof STATES)[number];

export interface Evidence {
  stream: string;
  /** -1 for a record outside the store. */
  seq: number;
  time: string | null;
  field: string;
  excerpt: string;
  spans: [number, number][];
  source: string;
  traceId: string;
  spanId: string;
}

export interface Finding {
  id: string;
  detector: string;
  rule: string;
  state: FindingState;
  title: string;
  severity: string;
  time: string;
  start: string;
  end: string;
  score: number | null;
  count: number;
  entities: [string, string][];
  techniques: string[];
  tactic: string;
  facts: Fields;
  evidence: Evidence[];
  comment: string;
}

const text = (value: Json | undefined): string => (value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value));
const list = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : value === undefined || value === null || value === "" ? [] : [value]);
const isObject = (value: Json | undefined): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);

/** An instant that comes as RFC 3339 or as nanoseconds since 1970. */
export function instant(value: Json | undefined): string | null {
  const written = text(value);
  if (!/^\d{16,19}$/.test(written)) return written || null;
  const ns = BigInt(written);
  const ms = new Date(Number(ns / 1_000_000n)).toISOString();
  return `${ms.slice(0, -4)}${String(ns % 1_000_000_000n).padStart(9, "0")}Z`;
}

function evidenceOf(value: Json): Evidence[] {
  if (!isObject(value)) return [];
  const spans = list(value["spans"]).flatMap((item): [number, number][] => (Array.isArray(item) && item.length === 2 ? [[Number(item[0]), Number(item[1])]] : []));
  const reference = /^(.+)\/(\d+)$/.exec(text(value["ref"]));
  return [{
    stream: text(value["stream"]) || (reference?.[1] ?? ""),
    seq: Number(value["seq"] ?? reference?.[2] ?? -1),
    time: instant(value["time_ns"] ?? value["time"]),
    field: text(value["field"]),
    excerpt: text(value["excerpt"]),
    spans,
    source: text(value["source"]) || (reference ? "" : text(value["ref"])),
    traceId: text(value["trace_id"]),
    spanId: text(value["span_id"]),
  }];
}

/** A record of the stream `findings` as a finding. */
export function findingOf(record: Fields, time: string): Finding {
  const at = (path: string) => fieldAt(record, path);
  const entities = Object.entries(isObject(at("entities")) ? (at("entities") as Fields) : {});
  const state = text(at("finding.state"));
  return {
    id: text(at("finding.id") ?? at("id")),
    detector: text(at("finding.detector") ?? at("detector")),
    rule: text(at("finding.rule") ?? at("rule")),
    state: STATES.find((item) => item === state) ?? "new",
    title: text(at("body")),
    severity: text(at("severityText")).toLowerCase(),
    time: time || (instant(at("@timestamp")) ?? ""),
    start: instant(at("startTime")) ?? time,
    end: instant(at("endTime")) ?? time,
    score: at("score") === undefined || at("score") === null ? null : Number(at("score")),
    count: Number(at("count") ?? 1),
    entities: entities.flatMap(([kind, names]) => list(names).map((name): [string, string] => [kind, text(name)])),
    techniques: list(at("techniques")).map(text),
    tactic: text(at("tactic")),
    facts: isObject(at("facts")) ? (at("facts") as Fields) : {},
    evidence: list(at("evidence")).flatMap(evidenceOf),
    comment: text(at("finding.comment")),
  };
}

/** Rows as findings; of several records of one finding (it was seen again, judged) the newest counts. */
export function findingsOf(rows: readonly Row[]): Finding[] {
  const found = new Map<string, Finding>();
  for (const row of rows) {
    const finding = findingOf(row.record, row.time);
    const seen = found.get(finding.id);
    if (!seen || finding.count > seen.count) found.set(finding.id, finding);
  }
  return [...found.values()];
}

/** Whether an operation is not there: this treering has no such stream or stage yet. */
export const isMissing = (error: unknown): boolean => error instanceof Failure && (error.status === 404 || error.status === 405 || (error.status === 400 && error.message.startsWith("no stream named")));

export const FINDINGS_SHOWN = 500;

/** Findings that `query` (search and where over the stream) selects, newest first; none while there is no such stream. */
export const useFindings = (query: string, from: string, to: string, tick: number, enabled = true) =>
  useQuery({
    queryKey: ["findings", query, from, to, tick],
    enabled,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      try {
        const page = await call<Page>("/api/search", { query, ...(from ? { from, to } : {}), size: FINDINGS_SHOWN }, signal);
        return findingsOf(page.records);
      } catch (error) {
        if (isMissing(error)) return [];
        throw error;
      }
    },
  });

/** One finding by its id, whenever it was; null when there is none. */
export const useFinding = (id: string, enabled: boolean) =>
  useQuery({
    queryKey: ["findings", "one", id],
    enabled,
    queryFn: async ({ signal }) => {
      try {
        return findingOf(await call<Fields>(`/api/findings/${encodeURIComponent(id)}`, undefined, signal), "");
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
  });

/** The incident that a finding belongs to; null when it is in none. */
export const useIncidentOf = (id: string) =>
  useQuery({
    queryKey: ["findings", "incident", id],
    queryFn: async ({ signal }) => {
      try {
        return (await call<{ incident?: { id: string; title: string; state: string } | null }>(`/api/findings/${encodeURIComponent(id)}`, undefined, signal)).incident ?? null;
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
  });

/** Judge a finding. */
export function useJudge() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, state, comment }: { id: string; state: FindingState; comment?: string }) =>
      call(`/api/findings/${encodeURIComponent(id)}`, { state, ...(comment ? { comment } : {}) }),
    onSuccess: () => Promise.all(["findings", "queries", "incidents"].map((name) => client.invalidateQueries({ queryKey: [name] }))),
  });
}
