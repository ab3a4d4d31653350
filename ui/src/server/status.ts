/** How the server does: what came in, and how far detection has read. */
import { useQuery } from "@tanstack/react-query";
import { call } from "./client";

export interface Status {
  version: string;
  uptime_s: number;
  rows: number;
  bytes: number;
  listeners: { name: string; address: string; state: string }[];
  conservation: { receiver: string; received: number; stored: number; rejected: Record<string, number> | number; dropped: Record<string, number> | number; in_flight: number; holds: boolean }[];
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
