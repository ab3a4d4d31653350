/** The incident in order of time, with the stage of the attack that each moment is. */
import { EXPLORE } from "../../address/address";
import { Link } from "../../parts/Link";
import { shown } from "../../parts/Text";
import type { Case } from "../../server/incidents";
import { exact } from "../../time/times";

export function Timeline({ incident }: { incident: Case }) {
  return (
    <>
      {incident.tactics.length > 0 && (
        <ol className="stages" aria-label="Stages">
          {incident.tactics.map((stage) => (
            <li key={stage.id} title={`${stage.id}, first ${exact(stage.first)}`}>
              <b>{shown(stage.name)}</b> <span className="quiet">{stage.moments}</span>
            </li>
          ))}
        </ol>
      )}
      <ol className="timeline" aria-label="Timeline">
        {incident.timeline.map((moment, index) => (
          <li key={index}>
            <Link path={EXPLORE} to={around(moment.time)} className="quiet" title="what was logged around it"><time dateTime={moment.time}>{exact(moment.time)}</time></Link>
            {moment.tactic && <span className="tactic"> {shown(moment.tactic.name)}</span>}
            <p>{moment.finding ? <Link path="/security" to={{ more: { finding: moment.finding, state: "all", of: "all" }, ...around(incident.start, incident.end) }}>{shown(moment.text)}</Link> : shown(moment.text)}</p>
          </li>
        ))}
      </ol>
      {incident.timeline.length === 0 && <p className="quiet">No moment is known yet.</p>}
      {incident.related.length > 0 && (
        <>
          <h3>Perhaps related</h3>
          <ul>
            {incident.related.map((item) => (
              <li key={item.id}><Link path="/incidents" to={{ more: { incident: item.id, state: "all" } }}>{shown(item.title.slice(0, 200))}</Link> <span className="quiet">through {item.through.slice(0, 3).map((entity) => `${entity.kind} ${shown(entity.value.slice(0, 40))}`).join(", ")}</span></li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

const HALF_MS = 120_000;

/** Two minutes around an instant, or around a range. */
function around(start: string, end = start): { from: string; to: string } {
  const [low, high] = [Date.parse(start), Date.parse(end)];
  if (Number.isNaN(low) || Number.isNaN(high)) return { from: start, to: end };
  return { from: new Date(low - HALF_MS).toISOString(), to: new Date(high + HALF_MS).toISOString() };
}
