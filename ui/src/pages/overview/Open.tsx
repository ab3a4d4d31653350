/** Incidents that nobody has resolved, by severity. */
import { Card } from "../../parts/Card";
import { Severity } from "../../parts/Entities";
import { Link } from "../../parts/Link";
import { shown } from "../../parts/Text";
import { SEVERITIES } from "../../server/findings";
import { useIncidents } from "../../server/incidents";
import { usePage } from "../../shell/page";
import { short } from "../../time/times";

const SHOWN = 6;
const rank = (severity: string) => (SEVERITIES as readonly string[]).indexOf(severity);

export function Open() {
  const { tick } = usePage();
  const found = useIncidents("open,acknowledged", "", tick);
  const all = found.data?.incidents ?? [];
  const gravest = [...all].sort((a, b) => rank(a.severity) - rank(b.severity) || b.end.localeCompare(a.end));
  return (
    <Card title="Open incidents">
      {found.error ? (
        <p className="hollow bad" role="alert">{found.error.message}</p>
      ) : all.length === 0 ? (
        <p className="quiet hollow">{found.data ? "No incident is open." : "fetching…"}</p>
      ) : (
        <>
          <div className="incident-counts">
            {SEVERITIES.map((severity) => {
              const count = all.filter((item) => item.severity === severity).length;
              return count > 0 && <span key={severity}><b>{count}</b>{severity}</span>;
            })}
          </div>
          <ul className="rows tight" data-testid="open-incidents">
            {gravest.slice(0, SHOWN).map((item) => (
              <li key={item.id}>
                <Link path="/incidents" to={{ more: { incident: item.id } }} className="entry">
                  <span className="line-1">
                    <Severity name={item.severity} />
                    <strong>{shown(item.title.slice(0, 200))}</strong>
                    <time className="quiet" dateTime={item.noticed}>{short(item.noticed).slice(0, -7)}</time>
                  </span>
                </Link>
              </li>
            ))}
          </ul>
          {all.length > SHOWN && <p><Link path="/incidents">all {found.data?.total ?? all.length} incidents</Link></p>}
        </>
      )}
    </Card>
  );
}
