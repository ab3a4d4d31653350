/** How the server does: what came in, and how far detection has read. */
import { useQuery } from "@tanstack/react-query";
import { quoted } from "../query/shared";
import { call } from "./client";

export interface Status {
  version: string;
  uptime_s: number;
  rows: number;
  bytes: number;
  listeners: { name: string; address: string; state: string }[];
  conservation: { receiver: string; received: number; stored: number; rejected: Record<string, number> | number; dropped: Record<string, number> | number; in_flight: number; holds: boolean }[];
  /** `path` is the data directory of the embedded engine. */
  store: { path?: string | null };
  /** Null where records are not watched. */
  detection: { lag_records: number; trouble: string } | null;
}

/** More records than this behind: what a page says of findings is not yet the whole. */
const BEHIND = 5_000;

export const isBehind = (status: Status | undefined): boolean => (status?.detection?.lag_records ?? 0) > BEHIND;

export const useStatus = (tick: number) =>
  useQuery({
    queryKey: ["status", tick],
    queryFn: ({ signal }) => call<Status>("/api/status", undefined, signal),
    refetchInterval: (query) => (isBehind(query.state.data) ? 3_000 : 15_000),
  });

/** Where commands look unless they are told. */
const USUAL = "treering-data";

/** What a command must be told to find this server: nothing where it has the usual directory. */
export function useThere(): string {
  const path = useQuery({ queryKey: ["there"], staleTime: Infinity, queryFn: ({ signal }) => call<Status>("/api/status", undefined, signal) }).data?.store.path;
  return !path || path === USUAL ? "" : ` --data ${/^[\w./-]+$/.test(path) ? path : quoted(path)}`;
}
