/** Rules, what they cover, and drills (docs/api.md). */
import { useMutation, useQuery } from "@tanstack/react-query";
import { call } from "./client";

export interface Rule {
  id: string;
  title: string;
  severity: string;
  stream: string;
  logsource: string;
  techniques: string[];
  tactic: string;
  window: string;
  threshold: number;
  at_most: number;
  distinct: string;
  by: string[];
  description: string;
  false_positives: string;
  response: string;
  references: string[];
  author: string;
  origin: string;
  steps: { name: string; condition: string[] }[];
  ordered: boolean;
  cases: { match: number; no_match: number };
  off: boolean;
}

export interface Tested {
  cases: number;
  failed: { rule: string; kind: string; number: number; records: number }[];
}

export interface Replayed {
  rule: string;
  hits: number;
  told: number;
  days: Record<string, number>;
  entities: { name: string; told: number }[];
  distinct: number;
  evidence: { time: string; service: string; text: string }[];
  cpu_s: number;
  problem: string;
}

export interface Technique {
  id: string;
  name: string;
  state: string;
  rules: string[];
  untested: string[];
  detectors: string[];
  drills: string[];
  related: string[];
  edition_2025: string;
}

export interface DrillRow {
  technique: string;
  cases: number;
  found: number;
  rate: number;
  into_s: number | null;
  delay_s: number | null;
  rules: string[];
  missed: string[];
  harmless: boolean;
}

export interface Drill {
  at: string;
  label: string;
  by: string;
  result: {
    cases: number;
    found: number;
    rate: number;
    false: string[];
    techniques: DrillRow[];
    told: { case: string; technique: string; found: boolean; rules: string[]; about: string }[];
    failures: Record<string, string>;
  };
}

export const useRules = () => useQuery({ queryKey: ["rules"], queryFn: async ({ signal }) => (await call<{ rules: Rule[] }>("/api/rules", undefined, signal)).rules });

export const useCoverage = () => useQuery({ queryKey: ["rules", "coverage"], queryFn: async ({ signal }) => (await call<{ techniques: Technique[] }>("/api/rules/coverage", undefined, signal)).techniques });

export const useDrills = (tick: number) => useQuery({ queryKey: ["drills", tick], queryFn: async ({ signal }) => (await call<{ drills: Drill[] }>("/api/drills", undefined, signal)).drills });

export const useTest = (id: string) => useMutation({ mutationFn: () => call<Tested>(`/api/rules/${encodeURIComponent(id)}/test`, {}) });

export const useBacktest = (id: string) => useMutation({ mutationFn: (since: string) => call<Replayed>(`/api/rules/${encodeURIComponent(id)}/backtest`, { since }) });
