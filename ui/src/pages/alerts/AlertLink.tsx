import { Link } from "../../parts/Link";
import { shown } from "../../parts/Text";
import type { Alert } from "./shapes";

/** An alert's words, leading to its incident, its finding or its records. */
export function AlertLink({ alert }: { alert: Alert }) {
  const words = shown(alert.summary.slice(0, 240));
  if (alert.incident) return <Link path="/incidents" to={{ more: { incident: alert.incident, state: "all" } }}>{words}</Link>;
  if (alert.finding) return <Link path="/security" to={{ more: { finding: alert.finding, state: "all", of: "all" } }}>{words}</Link>;
  // A path of our own page and nothing else: `//host` would be another origin.
  if (/^\/(?!\/)/.test(alert.link)) return <a href={alert.link}>{words}</a>;
  return <>{words}</>;
}
