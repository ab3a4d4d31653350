/** Incidents: findings folded into one story, and what people did about them (docs/api.md). */
import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { call, text } from "./client";
import { isMissing } from "./findings";
import type { Fields } from "./types";

export interface Named {
  kind: string;
  value: string;
}

export interface Incident {
  id: string;
  title: string;
  kind: string;
  severity: string;
  state: string;
  owner: string;
  start: string;
  end: string;
  noticed: string;
  risk: number;
  findings: number;
  entities: Named[];
  techniques: string[];
}

export interface Moment {
  time: string;
  text: string;
  tactic: { id: string; name: string } | null;
  finding: string;
}

export interface Knot extends Named {
  id: number;
  risk: number;
  findings: number;
  identity: boolean;
}

export interface Graph {
  nodes: Knot[];
  edges: { source: number; target: number; findings: number }[];
}

export interface Case extends Omit<Incident, "findings"> {
  findings: Fields[];
  timeline: Moment[];
  tactics: { id: string; name: string; first: string; moments: number }[];
  graph: Graph;
  evidence: { sha256: string; records: { ref: string; finding: string; time: string; sha256: string }[] };
  comments: { at: string; by: string; text: string }[];
  history: { at: string; by: string; what: string; before: string; after: string }[];
  related: { id: string; title: string; score: number; through: Named[] }[];
  playbook: string;
  steps: { playbook: string; step: string; state: string; by: string; at: string }[];
}

export interface Listed {
  incidents: Incident[];
  total: number;
  risk: (Named & { risk: number })[];
}

const NOTHING: Listed = { incidents: [], total: 0, risk: [] };
const EVERY_MS = 15_000;

/** Nothing, where the operation is not there. */
async function orNothing<T>(asked: Promise<T>, nothing: T): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (isMissing(error)) return nothing;
    throw error;
  }
}

export const useIncidents = (state: string, kind: string, tick: number) =>
  useQuery({
    queryKey: ["incidents", state, kind, tick],
    queryFn: ({ signal }) => orNothing(call<Listed>(`/api/incidents?state=${encodeURIComponent(state)}&kind=${encodeURIComponent(kind)}`, undefined, signal), NOTHING),
    placeholderData: keepPreviousData,
    refetchInterval: EVERY_MS,
  });

export const useIncident = (id: string, tick: number) =>
  useQuery({
    queryKey: ["incidents", "one", id, tick],
    queryFn: ({ signal }) => call<Case>(`/api/incidents/${encodeURIComponent(id)}`, undefined, signal),
  });

export interface Change {
  state?: string;
  owner?: string;
  comment?: string;
}

export function useChange(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (change: Change) => call<Case>(`/api/incidents/${encodeURIComponent(id)}`, change),
    onSuccess: () => client.invalidateQueries({ queryKey: ["incidents"] }),
  });
}

export const usePostmortem = (id: string, enabled: boolean) =>
  useQuery({
    queryKey: ["incidents", "postmortem", id],
    enabled,
    queryFn: ({ signal }) => text(`/api/incidents/${encodeURIComponent(id)}/postmortem?format=md`, undefined, signal),
  });
