/** What drifted: each finding with its reference and its present distribution. */
import { Card } from "../../parts/Card";
import { Entities, Severity } from "../../parts/Entities";
import { Link } from "../../parts/Link";
import { shown } from "../../parts/Text";
import { useFindings } from "../../server/findings";
import { usePage } from "../../shell/page";
import { short } from "../../time/times";
import { Distributions } from "./Distributions";

const QUERY = "source=findings | where finding.detector = 'drift'";
const SHOWN = 6;

export function DriftFindings() {
  const { from, to, tick } = usePage();
  const found = useFindings(QUERY, from, to, tick, from !== "");
  const all = found.data ?? [];
  return (
    <Card title="What drifted" width={4} query={QUERY} note={all.length > SHOWN ? `${all.length} findings, the newest here` : ""}>
      {found.error ? (
        <p className="hollow bad" role="alert">{found.error.message}</p>
      ) : all.length === 0 ? (
        <p className="quiet hollow">{found.data ? "No drift was found in this time range." : "fetching…"}</p>
      ) : (
        <div className="drifts">
          {all.slice(0, SHOWN).map((finding) => (
            <article key={finding.id} aria-label={finding.title.slice(0, 100)}>
              <p className="acts">
                <Severity name={finding.severity} />
                <Link path="/security" to={{ more: { finding: finding.id, state: "all", of: "all" } }}>{shown(finding.title.slice(0, 200))}</Link>
                <time className="quiet" dateTime={finding.time}>{short(finding.time).slice(0, -7)}</time>
              </p>
              <Entities entities={finding.entities.slice(0, 4)} />
              <Distributions facts={finding.facts} />
            </article>
          ))}
        </div>
      )}
    </Card>
  );
}
