/** The records behind a finding: bounded excerpts with what was found marked, each leading to its record. */
import { EXPLORE } from "../address/address";
import type { Evidence } from "../server/findings";
import { exact } from "../time/times";
import { Link } from "./Link";
import { Ranged, shown } from "./Text";

export function Excerpts({ evidence }: { evidence: readonly Evidence[] }) {
  if (evidence.length === 0) return <p className="quiet">No records are kept with it.</p>;
  return (
    <>
      {evidence.map((item, index) => (
        <article key={index} className="excerpt">
          <header>
            {item.time && <time dateTime={item.time}>{exact(item.time)}</time>}
            {item.field && <code>{shown(item.field.slice(0, 120))}</code>}
            <span className="spring" />
            {item.source && <span>{shown(item.source.slice(0, 200))}</span>}
            {item.traceId && <Link path={EXPLORE} to={{ trace: item.traceId, span: item.spanId || null }}>trace</Link>}
            {item.seq >= 0 && <Link path={EXPLORE} to={{ stream: item.stream, open: `${item.stream}/${item.seq}` }}>record</Link>}
          </header>
          {item.excerpt && <pre><Ranged text={item.excerpt} ranges={item.spans} /></pre>}
        </article>
      ))}
    </>
  );
}
