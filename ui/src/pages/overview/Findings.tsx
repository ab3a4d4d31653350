/** The newest findings that nobody has judged. */
import { Card } from "../../parts/Card";
import { Severity } from "../../parts/Entities";
import { Link } from "../../parts/Link";
import { shown } from "../../parts/Text";
import { SEVERITIES, useFindings } from "../../server/findings";
import type { Finding } from "../../server/findings";
import { usePage } from "../../shell/page";
import { short } from "../../time/times";

const SHOWN = 8;
const rank = (severity: string) => (SEVERITIES as readonly string[]).indexOf(severity);

interface Group {
  newest: Finding;
  count: number;
}

/** Findings of one rule as one line, the gravest first. */
function grouped(findings: readonly Finding[]): Group[] {
  const groups = new Map<string, Group>();
  for (const finding of findings) {
    const key = `${finding.detector} ${finding.rule} ${finding.severity}`;
    const seen = groups.get(key);
    if (!seen) groups.set(key, { newest: finding, count: 1 });
    else groups.set(key, { newest: finding.time > seen.newest.time ? finding : seen.newest, count: seen.count + 1 });
  }
  return [...groups.values()].sort((a, b) => rank(a.newest.severity) - rank(b.newest.severity) || b.newest.time.localeCompare(a.newest.time));
}

export function Findings() {
  const { tick } = usePage();
  const found = useFindings("source=findings", "", "", tick);
  const fresh = (found.data ?? []).filter((finding) => finding.state === "new");
  const groups = grouped(fresh);
  return (
    <Card title="Findings to judge" query="source=findings" note={fresh.length > 0 ? `${fresh.length} that nobody has judged` : ""}>
      {found.error ? (
        <p className="hollow bad" role="alert">{found.error.message}</p>
      ) : groups.length === 0 ? (
        <p className="quiet hollow">{found.data ? "Nothing found that nobody has judged." : "fetching…"}</p>
      ) : (
        <ul className="rows tight" data-testid="new-findings">
          {groups.slice(0, SHOWN).map(({ newest, count }) => (
            <li key={newest.id}>
              <Link path="/security" to={{ more: { finding: newest.id, of: "all" }, ...sinceDay(newest.time) }} className="entry">
                <span className="line-1">
                  <Severity name={newest.severity} />
                  <strong>{shown(newest.title.slice(0, 200))}</strong>
                  {count > 1 && <span className="quiet">×{count}</span>}
                  <time className="quiet" dateTime={newest.time}>{short(newest.time).slice(0, -7)}</time>
                </span>
              </Link>
            </li>
          ))}
        </ul>
      )}
      {groups.length > SHOWN && <p className="more"><Link path="/security" to={{ more: { of: "all" } }}>all {fresh.length} findings</Link></p>}
    </Card>
  );
}

/** A range that holds `time`, whatever range the page has. */
const sinceDay = (time: string): { from: string; to: string } => (Date.now() - Date.parse(time) < 86400e3 ? { from: "now-24h", to: "now" } : { from: "now-30d", to: "now" });
