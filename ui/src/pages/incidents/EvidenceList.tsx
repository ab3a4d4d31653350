/** The records behind an incident, finding by finding; copies of them are frozen with their digests. */
import { Excerpts } from "../../parts/Excerpts";
import { Severity } from "../../parts/Entities";
import { Link } from "../../parts/Link";
import { shown } from "../../parts/Text";
import { findingOf } from "../../server/findings";
import type { Case } from "../../server/incidents";

export function EvidenceList({ incident }: { incident: Case }) {
  const href = `/api/incidents/${encodeURIComponent(incident.id)}/evidence`;
  return (
    <>
      <p className="acts">
        <span>{incident.evidence.records.length.toLocaleString("en")} records are frozen</span>
        <code className="quiet" title="SHA-256 over all of them">{incident.evidence.sha256.slice(0, 16)}</code>
        <span className="spring" />
        <a className="button" href={`${href}?format=zip`} download>Bundle (zip)</a>
        <a className="button" href={href} download={`${incident.id}-evidence.json`}>JSON</a>
      </p>
      {incident.findings.map((record) => {
        const finding = findingOf(record, "");
        return (
          <section key={finding.id} aria-label={finding.title.slice(0, 80)}>
            <h3 className="acts"><Severity name={finding.severity} /> <Link path="/security" to={{ more: { finding: finding.id, state: "all", of: "all" }, from: incident.start, to: incident.end }}>{shown(finding.title)}</Link></h3>
            <Excerpts evidence={finding.evidence} />
          </section>
        );
      })}
    </>
  );
}
