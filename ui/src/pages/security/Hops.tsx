/** A finding whose evidence lies in one trace, as the way that a text took: document, answer, tool, destination. */
import { EXPLORE } from "../../address/address";
import { Link } from "../../parts/Link";
import { shown } from "../../parts/Text";
import type { Finding } from "../../server/findings";
import { hopsOf } from "./hops";

/** Nothing where the evidence is of several traces or of one place. */
export function Hops({ finding }: { finding: Finding }) {
  const traces = new Set(finding.evidence.map((item) => item.traceId));
  const hops = hopsOf(finding);
  if (traces.size !== 1 || traces.has("") || hops.length < 2) return null;
  const [trace] = traces;
  return (
    <>
      <h3>The way it took</h3>
      <ol className="hops" aria-label="The way it took">
        {hops.map(({ kind, name, item }, index) => (
          <li key={index}>
            <Link path={EXPLORE} className="chip" to={{ trace: trace!, span: item.spanId || null }} title="its span in the trace"><span className="quiet">{shown(kind)}</span>{name && <> <bdi>{shown(name.slice(0, 60))}</bdi></>}</Link>
          </li>
        ))}
      </ol>
    </>
  );
}
