/** Playbooks: steps with queries that are run, read-only, for an incident (docs/api.md). */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { call } from "./client";
import type { Answer } from "./types";

export interface StepAnswer {
  query: string;
  schema: Answer["schema"];
  datarows: Answer["datarows"];
  note: string;
}

export interface Step {
  id: string;
  title: string;
  text: string;
  checks: string[];
  state: string;
  answers: StepAnswer[];
}

export interface Run {
  incident: string;
  playbook: string;
  title: string;
  steps: Step[];
}

/** Run a playbook, or one step of it; nothing but queries is run. */
export const useRun = (id: string) =>
  useMutation({ mutationFn: (asked: { playbook?: string; step?: string }) => call<Run>(`/api/incidents/${encodeURIComponent(id)}/playbook`, asked) });

export function useStep(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (asked: { playbook: string; step: string; state: "done" | "skipped" | "open"; note?: string }) =>
      call<{ steps: Record<string, string> }>(`/api/incidents/${encodeURIComponent(id)}/steps`, asked),
    onSuccess: () => client.invalidateQueries({ queryKey: ["incidents", "one", id] }),
  });
}
