/** The shapes of docs/api.md under alerts. */

export interface Alert {
  id: string;
  rule: string;
  status: string;
  severity: string;
  summary: string;
  starts: string;
  ends: string | null;
  labels: Record<string, string>;
  link: string;
  finding: string;
  incident: string;
  silenced: boolean;
}

export interface Silence {
  id: string;
  matchers: string[];
  starts: string;
  ends: string | null;
  author: string;
  comment: string;
  active: boolean;
}

export interface Alerting {
  alerts: Alert[];
  rules: { name: string; on: string; query: string; severity: string; asked: string | null; error: string }[];
  receivers: { name: string; kind: string }[];
  silences: Silence[];
  waiting: number;
}

export interface Deliveries {
  deliveries: { id: string; receiver: string; state: string; alerts: Alert[]; created: string; attempts: number; delivered: string | null; next: string | null; error: string }[];
}
