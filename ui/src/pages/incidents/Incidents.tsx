/** Incidents: the list, and one of them from its first record to its post-mortem. */
import { set, useAddress } from "../../address/address";
import { Severity } from "../../parts/Entities";
import { Broken, Waiting } from "../../parts/State";
import { shown } from "../../parts/Text";
import { useList } from "../../parts/useList";
import { useIncidents } from "../../server/incidents";
import type { Incident } from "../../server/incidents";
import { PageFrame } from "../../shell/PageFrame";
import { usePage } from "../../shell/page";
import { exact, short } from "../../time/times";
import { Senders } from "../senders";
import { CaseView } from "./CaseView";

const STATES: readonly [string, string][] = [["open,acknowledged", "Open"], ["resolved", "Resolved"], ["closed", "Closed"], ["", "All"]];

export default function Incidents({ dark }: { dark: boolean }) {
  const { more } = useAddress();
  const state = more["state"] ?? STATES[0]![0];
  const tools = (
    <div className="switch" role="group" aria-label="State">
      {STATES.map(([value, title]) => (
        <button key={title} type="button" aria-pressed={state === (value || "all")} onClick={() => set({ state: value === STATES[0]![0] ? null : value || "all" })}>{title}</button>
      ))}
    </div>
  );
  return (
    <PageFrame title="Incidents" about="findings that belong together" dark={dark} tools={tools} timeless watched>
      <Body state={state === "all" ? "" : state} />
    </PageFrame>
  );
}

function Body({ state }: { state: string }) {
  const { more } = useAddress();
  const { tick } = usePage();
  const found = useIncidents(state, more["kind"] ?? "", tick);
  const rows = found.data?.incidents ?? [];
  const place = rows.findIndex((item) => item.id === more["incident"]);
  const open = (item: Incident) => set({ incident: item.id, show: null }, true);
  const step = (by: 1 | -1) => () => {
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    const next = rows[Math.min(Math.max(place + by, 0), rows.length - 1)];
    if (next) open(next);
  };
  useList(rows, open, { j: step(1), k: step(-1), ArrowDown: step(1), ArrowUp: step(-1), Escape: () => set({ incident: null, show: null }) }, place);
  if (found.error) return <Broken error={found.error} again={() => void found.refetch()} />;
  if (!found.data) return <Waiting what="Fetching incidents" />;
  const chosen = more["incident"] ?? "";
  if (rows.length === 0 && !chosen)
    return (
      <main className="scroll">
        <p className="pad">{state === STATES[0]![0] ? "No incident is open." : "No incident is in this state."} Findings that share a user, a service, a trace within a while become one.</p>
        <Senders kinds={["scan"]} title="What is stored already can be scanned" />
      </main>
    );
  return (
    <div className="split">
      <nav className="list" aria-label="Incidents">
        <ul className="rows" data-testid="incidents">
          {rows.map((item) => (
            <li key={item.id}>
              <button
                type="button"
                className="entry"
                aria-current={item.id === chosen}
                ref={item.id === chosen ? (node) => node?.scrollIntoView({ block: "nearest" }) : undefined}
                onClick={() => open(item)}
              >
                <span className="line-1">
                  <Severity name={item.severity} />
                  <span className="quiet">{shown(item.kind)} · {item.findings} {item.findings === 1 ? "finding" : "findings"} · {item.state}{item.owner ? ` · ${shown(item.owner.slice(0, 40))}` : ""}</span>
                  <time className="quiet" dateTime={item.end} title={`last sign ${exact(item.end)}, noticed ${exact(item.noticed)}`}>{short(item.end).slice(0, -7)}</time>
                </span>
                <strong>{shown(item.title.slice(0, 300))}</strong>
              </button>
            </li>
          ))}
        </ul>
      </nav>
      {chosen ? <CaseView key={chosen} id={chosen} /> : <div className="detail"><div className="state"><p>Choose an incident from the list; <kbd>j</kbd> and <kbd>k</kbd> move.</p></div></div>}
    </div>
  );
}
