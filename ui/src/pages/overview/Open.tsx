/** Incidents that nobody has resolved, by severity. */
import { Card } from "../../parts/Card";
import { Severity } from "../../parts/Entities";
import { Link } from "../../parts/Link";
import { shown } from "../../parts/Text";
import { SEVERITIES } from "../../server/findings";
import { useIncidents } from "../../server/incidents";
import type { Incident } from "../../server/incidents";
import { usePage } from "../../shell/page";
import { exact, short } from "../../time/times";

const SHOWN = 6;
const rank = (severity: string) => (SEVERITIES as readonly string[]).indexOf(severity);

export function Open() {
  const { tick } = usePage();
  const found = useIncidents("open,acknowledged", "", tick);
  const over = useIncidents("resolved,closed", "", tick);
  const all = found.data?.incidents ?? [];
  const gravest = [...all].sort((a, b) => rank(a.severity) - rank(b.severity) || b.end.localeCompare(a.end));
  const past = over.data?.incidents ?? [];
  return (
    <Card title="Open incidents">
      {found.error ? (
        <p className="hollow bad" role="alert">{found.error.message}</p>
      ) : all.length === 0 ? (
        <>
          <p className={past.length > 0 ? "quiet" : "quiet hollow"}>{found.data ? `No incident is open.${past.length > 0 ? " Over by now:" : ""}` : "fetching…"}</p>
          {past.length > 0 && <List incidents={past.slice(0, SHOWN)} state="all" />}
        </>
      ) : (
        <>
          <div className="incident-counts">
            {SEVERITIES.map((severity) => {
              const count = all.filter((item) => item.severity === severity).length;
              return count > 0 && <span key={severity}><b>{count}</b>{severity}</span>;
            })}
          </div>
          <List incidents={gravest.slice(0, SHOWN)} state="" />
        </>
      )}
      {(all.length > SHOWN || past.length > 0) && <p className="more"><Link path="/incidents" to={{ more: { state: "all" } }}>all {((found.data?.total ?? 0) + (over.data?.total ?? 0)).toLocaleString("en")} incidents</Link></p>}
    </Card>
  );
}

function List({ incidents, state }: { incidents: readonly Incident[]; state: string }) {
  return (
    <ul className="rows tight" data-testid="open-incidents">
      {incidents.map((item) => (
        <li key={item.id}>
          <Link path="/incidents" to={{ more: { incident: item.id, state } }} className="entry">
            <span className="line-1">
              <Severity name={item.severity} />
              <strong>{shown(item.title.slice(0, 200))}</strong>
              {state && <span className="quiet">{item.state}</span>}
              <time className="quiet" dateTime={item.end} title={`last sign ${exact(item.end)}, noticed ${exact(item.noticed)}`}>{short(item.end).slice(0, -7)}</time>
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
