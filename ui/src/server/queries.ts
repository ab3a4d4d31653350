/** What the page asks the server, as hooks that cache and cancel. */
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { literal } from "../query/text";
import { call, text } from "./client";
import type { Answer, Counts, Field, Page, Parsed, Row, Stream, Trace, Values } from "./types";

/** A question as the server gets it. `tick` changes when the user asks again. */
export interface Question {
  query: string;
  from: string;
  to: string;
  tick: number;
}

const PAGE = 200;
const BUCKETS = 120;
/** The fields whose values are shown without being asked for, and how many of them. */
export const OPEN_FIELDS: readonly string[] = ["severityText", "serviceName"];
export const FEW_VALUES = 6;
/** Rows of a table answer that the page holds at most. */
export const TABLE_ROWS = 10_000;

const key = (what: string, q: Question, ...more: unknown[]) => [what, q.query, q.from, q.to, q.tick, ...more];
const body = (q: Question) => ({ query: q.query, from: q.from, to: q.to });

/** Whether it is known that nothing is stored. */
export const isEmpty = (streams: readonly Stream[] | undefined): boolean => streams !== undefined && streams.every((stream) => stream.rows === 0);

export const useStreams = (tick: number) =>
  useQuery<Stream[]>({
    queryKey: ["streams", tick],
    queryFn: ({ signal }) => call<{ streams: Stream[] }>("/api/streams", undefined, signal).then((answer) => answer.streams),
    placeholderData: keepPreviousData,
    // An empty store is watched closely: the first record should show at once.
    refetchInterval: (query) => (isEmpty(query.state.data) ? 2_000 : 15_000),
  });

export const useFields = (source: string, tick: number) =>
  useQuery<Field[]>({
    queryKey: ["fields", source, tick],
    queryFn: ({ signal }) =>
      call<{ fields: Field[] }>(`/api/fields?source=${encodeURIComponent(source)}`, undefined, signal).then((answer) => answer.fields),
    placeholderData: keepPreviousData,
  });

export const useParsed = (q: Question) =>
  useQuery({
    queryKey: ["parse", q.query, q.tick],
    queryFn: ({ signal }) => call<Parsed>("/api/parse", { query: q.query }, signal),
  });

export const useRecords = (q: Question, order: "desc" | "asc", enabled: boolean) =>
  useInfiniteQuery({
    queryKey: key("search", q, order),
    enabled,
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      call<Page>("/api/search", { ...body(q), size: PAGE, order, ...(pageParam ? { after: pageParam } : {}) }, signal),
    getNextPageParam: (page) => page.after,
  });

const counts = (q: Question) => ({
  queryKey: key("histogram", q),
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    call<Counts>("/api/histogram", { ...body(q), buckets: BUCKETS, values: OPEN_FIELDS }, signal),
});

export const useCounts = (q: Question, enabled: boolean, every: number | false) =>
  useQuery({ ...counts(q), enabled, placeholderData: keepPreviousData, refetchInterval: every });

/** The most frequent values of a field. Those of fields that stand open at first come with the histogram. */
export const useValues = (q: Question, field: string, limit: number) =>
  useQuery({
    queryKey: key("values", q, field, limit),
    queryFn: async ({ signal, client }) => {
      if (limit === FEW_VALUES && OPEN_FIELDS.includes(field)) {
        const known = await client.fetchQuery({ ...counts(q), staleTime: Infinity }).catch(() => undefined);
        if (known?.values[field]) return known.values[field];
      }
      return call<Values>("/api/values", { ...body(q), field, limit }, signal);
    },
    placeholderData: keepPreviousData,
  });

export const useTable = (q: Question, enabled: boolean) =>
  useQuery({
    queryKey: key("query", q),
    enabled,
    queryFn: ({ signal }) => call<Answer>("/api/query", { ...body(q), limit: TABLE_ROWS }, signal),
  });

const path = (ref: string) => ref.split("/").map(encodeURIComponent).join("/");

/** The record `ref` as JSON text: digits and order stay as they were sent. */
export const useRecordText = (ref: string) =>
  useQuery({
    queryKey: ["record", ref],
    queryFn: ({ signal }) => text(`/api/record/${path(ref)}`, undefined, signal),
    staleTime: Infinity,
  });

export const useContext = (ref: string, lines: number) =>
  useQuery<Row[]>({
    queryKey: ["context", ref, lines],
    queryFn: ({ signal }) =>
      call<{ records: Row[] }>(`/api/context/${path(ref)}?before=${lines}&after=${lines}`, undefined, signal).then(
        (answer) => answer.records,
      ),
    placeholderData: keepPreviousData,
  });

/** What the calls of a trace cost in dollars, by span: found out by treering, so it is beside the spans and not in them. */
export const useTraceCosts = (id: string, from: string, to: string) =>
  useQuery({
    queryKey: ["trace costs", id, from, to],
    enabled: from !== "",
    queryFn: async ({ signal }): Promise<ReadonlyMap<string, number>> => {
      const query = `source=spans | where traceId = ${literal(id)} | eval usd = coalesce(attributes.treering.cost.usd) | where isnotnull(usd) | fields spanId, usd`;
      const answer = await call<Answer>("/api/query", { query, from, to, limit: TABLE_ROWS }, signal);
      return new Map(answer.datarows.map(([span, usd]) => [String(span), Number(usd)]));
    },
  });

export const useTrace = (id: string) =>
  useQuery({
    queryKey: ["trace", id],
    queryFn: ({ signal }) => call<Trace>(`/api/trace/${encodeURIComponent(id)}`, undefined, signal),
  });
