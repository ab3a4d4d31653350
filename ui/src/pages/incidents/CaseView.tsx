/** One incident: what happened when, to whom, by which evidence; what to do; what was done; how it reads afterwards. */
import { useRef, useState } from "react";
import { set, useAddress } from "../../address/address";
import { useKeys } from "../../address/keys";
import { DetailHead } from "../../parts/DetailHead";
import { Entities } from "../../parts/Entities";
import { Broken, Waiting } from "../../parts/State";
import { Techniques } from "../../parts/Techniques";
import { shown } from "../../parts/Text";
import { useChange, useIncident } from "../../server/incidents";
import type { Case, Change } from "../../server/incidents";
import { usePage } from "../../shell/page";
import { exact } from "../../time/times";
import { Comments } from "./Comments";
import { EntityGraph } from "./EntityGraph";
import { EvidenceList } from "./EvidenceList";
import { Playbook } from "./Playbook";
import { Postmortem } from "./Postmortem";
import { Timeline } from "./Timeline";

const VIEWS = [["timeline", "Timeline", "1"], ["evidence", "Evidence", "2"], ["playbook", "Playbook", "3"], ["comments", "Comments", "4"], ["postmortem", "Post-mortem", "5"], ["entities", "Entities", "6"]] as const;
type View = (typeof VIEWS)[number][0];

export function CaseView({ id }: { id: string }) {
  const { tick } = usePage();
  const found = useIncident(id, tick);
  if (found.error) return <div className="detail"><Broken error={found.error} again={() => void found.refetch()} /></div>;
  if (!found.data) return <div className="detail"><Waiting what="Fetching the incident" /></div>;
  return <Whole incident={found.data} />;
}

function Whole({ incident }: { incident: Case }) {
  const { more } = useAddress();
  const change = useChange(incident.id);
  const view: View = VIEWS.find(([name]) => name === more["show"])?.[0] ?? "timeline";
  const show = (name: View) => () => set({ show: name === "timeline" ? null : name }, true);
  const apply = (wanted: Change) => change.mutate(wanted);
  useKeys({
    ...Object.fromEntries(VIEWS.map(([name, , key]) => [key, show(name)])),
    o: () => incident.state === "open" && apply({ state: "acknowledged" }),
  });
  return (
    <section className="detail" aria-label="Incident" data-testid="incident">
      <DetailHead kind="incident" severity={incident.severity} title={incident.title} />
      <States incident={incident} apply={apply} busy={change.isPending} />
      {change.error && <p className="bad" role="alert">{change.error.message}</p>}
      <dl className="pairs">
        <dt>when</dt><dd>{exact(incident.start)} to {exact(incident.end)}, noticed {exact(incident.noticed)}</dd>
        <dt>kind</dt><dd>{shown(incident.kind)}, risk {Number(incident.risk.toPrecision(3))}</dd>
        {incident.techniques.length > 0 && <><dt>techniques</dt><dd className="chips"><Techniques names={incident.techniques} /></dd></>}
        <dt>concerns</dt><dd><Entities entities={incident.entities.map((item) => [item.kind, item.value])} from={incident.start} to={later(incident.end)} /></dd>
      </dl>
      <div className="tabs flush" role="tablist" aria-label="Parts of the incident">
        {VIEWS.map(([name, title, key]) => (
          <button key={name} type="button" role="tab" aria-selected={view === name} title={`${title} (${key})`} onClick={show(name)}>
            {title} {name === "evidence" && <b>{incident.evidence.records.length}</b>}{name === "comments" && incident.comments.length > 0 && <b>{incident.comments.length}</b>}
          </button>
        ))}
      </div>
      <div role="tabpanel" aria-label={VIEWS.find(([name]) => name === view)![1]}>
        {view === "timeline" && <Timeline incident={incident} />}
        {view === "evidence" && <EvidenceList incident={incident} />}
        {view === "playbook" && <Playbook incident={incident} />}
        {view === "comments" && <Comments incident={incident} apply={apply} busy={change.isPending} />}
        {view === "entities" && <EntityGraph incident={incident} to={later(incident.end)} />}
        {view === "postmortem" && <Postmortem id={incident.id} />}
      </div>
    </section>
  );
}

const later = (time: string): string => {
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? time : new Date(ms + 1000).toISOString();
};

const NEXT: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  open: [["acknowledged", "Acknowledge"], ["resolved", "Resolve"]],
  acknowledged: [["resolved", "Resolve"], ["open", "Back to open"]],
  resolved: [["closed", "Close"], ["open", "Open again"]],
  closed: [["open", "Open again"]],
};

function States({ incident, apply, busy }: { incident: Case; apply: (change: Change) => void; busy: boolean }) {
  const [editing, setEditing] = useState(false);
  const box = useRef<HTMLInputElement>(null);
  return (
    <div className="acts" role="group" aria-label="State and owner">
      <span className="chip" data-testid="incident-state">{incident.state}</span>
      {(NEXT[incident.state] ?? []).map(([state, label]) => (
        <button key={state} type="button" className="button" disabled={busy} onClick={() => apply({ state })}>{label}{state === "acknowledged" && <> <kbd>o</kbd></>}</button>
      ))}
      <span className="spring" />
      {editing ? (
        <form
          className="acts"
          onSubmit={(event) => {
            event.preventDefault();
            apply({ owner: box.current?.value.trim() ?? "" });
            setEditing(false);
          }}
        >
          <input ref={box} autoFocus defaultValue={incident.owner} aria-label="Owner" maxLength={120} placeholder="who owns it" />
          <button type="submit" className="button">Set owner</button>
        </form>
      ) : (
        <button type="button" className="button quiet-button" onClick={() => setEditing(true)}>{incident.owner ? <>owner <bdi>{shown(incident.owner.slice(0, 60))}</bdi></> : "nobody owns it: set"}</button>
      )}
    </div>
  );
}
