/** Findings one under the other, the chosen one beside them; c confirms, x dismisses, u makes new again. */
import { useState } from "react";
import { set, useAddress } from "../../address/address";
import { Severity } from "../../parts/Entities";
import { Broken, Waiting } from "../../parts/State";
import { shown } from "../../parts/Text";
import { useList } from "../../parts/useList";
import { SEVERITIES, STATES, useFinding, useFindings, useJudge } from "../../server/findings";
import type { Finding, FindingState } from "../../server/findings";
import { usePage } from "../../shell/page";
import { short } from "../../time/times";
import { Senders } from "../senders";
import { Detail } from "./Detail";

// What attacks or leaks: it has a technique or a stage of an attack, or comes from what looks for those alone.
const ATTACKS = new Set(["prompts", "secrets", "vector_access"]);
const isAttack = (item: Finding): boolean => item.techniques.length > 0 || item.tactic !== "" || ATTACKS.has(item.detector);

const rank = (severity: string) => (SEVERITIES as readonly string[]).indexOf(severity);

export function Triage() {
  const { more } = useAddress();
  const { from, to, tick } = usePage();
  const [all, setAll] = useState(false);
  const found = useFindings("source=findings", from, to, tick, from !== "");
  const judge = useJudge();
  const state = more["state"] ?? "new";
  const every = more["of"] === "all";
  const wanted = more["finding"] ?? "";
  const listed = found.data ?? [];
  // A link may lead to a finding of another time than the page's.
  const other = useFinding(wanted, wanted !== "" && found.data !== undefined && !listed.some((item) => item.id === wanted)).data;
  const everything = (other ? [...listed, other] : listed).filter((item) => every || isAttack(item) || item.id === more["finding"]);
  const detectors = [...new Set(everything.map((item) => item.detector))].sort();
  const rows = everything
    .filter((item) => (state === "all" || item.state === state || item.id === more["finding"]) && (!more["detector"] || item.detector === more["detector"]) && (!more["severity"] || rank(item.severity) <= rank(more["severity"])))
    .sort((a, b) => (more["sort"] === "severity" ? rank(a.severity) - rank(b.severity) : 0) || b.time.localeCompare(a.time));
  const place = Math.max(rows.findIndex((item) => item.id === more["finding"]), rows.length > 0 ? 0 : -1);
  const open = (item: Finding) => set({ finding: item.id }, true);
  const decide = (next: FindingState) => () => {
    const item = rows[place];
    if (!item || judge.isPending || item.state === next) return;
    const following = rows[place + 1] ?? rows[place - 1];
    judge.mutate({ id: item.id, state: next }, { onSuccess: () => state !== "all" && set({ finding: following?.id ?? null }, true) });
  };
  const step = (by: 1 | -1) => () => {
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    const next = rows[Math.min(Math.max(place + by, 0), rows.length - 1)];
    if (next) open(next);
  };
  useList(rows, open, { j: step(1), k: step(-1), ArrowDown: step(1), ArrowUp: step(-1), c: decide("confirmed"), x: decide("dismissed"), u: decide("new"), }, place);
  if (found.error) return <Broken error={found.error} again={() => void found.refetch()} />;
  if (!found.data) return <Waiting what="Fetching findings" />;
  if (found.data.length === 0 && !other)
    return (
      <main className="scroll">
        <p className="pad">No findings in this time range: nothing suspicious was noticed, or nothing has been looked at yet.</p>
        <Senders kinds={["scan", "otel", "weaviate"]} title="What is stored already can be scanned" />
      </main>
    );
  const selected = rows[place];
  return (
    <div className="split">
      <nav className="list" aria-label="Findings">
        <div className="filters pad">
          <Choice label="Of" name="of" value={more["of"] ?? ""} none="" values={["", "all"]} names={{ "": "attacks and leaks", all: "everything" }} />
          <Choice label="State" name="state" value={state} none="new" values={[...STATES, "all"]} />
          <Choice label="Detector" name="detector" value={more["detector"] ?? ""} none="" values={["", ...detectors]} />
          <Choice label="Order" name="sort" value={more["sort"] ?? ""} none="" values={["", "severity"]} names={{ "": "newest first", severity: "gravest first" }} />
          <Choice label="Severity at least" name="severity" value={more["severity"] ?? ""} none="" values={["", ...SEVERITIES]} />
        </div>
        {rows.length === 0 && <p className="quiet pad">No finding is {state} here. {everything.length} are in other states, {found.data.length} there are in all.</p>}
        <ul className="rows" data-testid="findings">
          {rows.slice(0, all ? undefined : 200).map((item) => (
            <li key={item.id}>
              <button
                type="button"
                className="entry"
                aria-current={item.id === selected?.id}
                ref={item.id === selected?.id ? (node) => node?.scrollIntoView({ block: "nearest" }) : undefined}
                onClick={() => open(item)}
              >
                <span className="line-1">
                  <Severity name={item.severity} />
                  <span className="quiet">{shown(item.detector)}{item.count > 1 ? ` · ${item.count.toLocaleString("en")} times` : ""}{item.state !== "new" ? ` · ${item.state}` : ""}</span>
                  <time className="quiet" dateTime={item.time}>{short(item.time).slice(0, -7)}</time>
                </span>
                <strong>{shown(item.title.slice(0, 300))}</strong>
                <span className="quiet clip">{item.entities.slice(0, 3).map(([kind, value]) => `${kind} ${shown(value.slice(0, 40))}`).join(" · ")}</span>
              </button>
            </li>
          ))}
        </ul>
        {rows.length > 200 && !all && <button type="button" className="text-button pad" onClick={() => setAll(true)}>show all {rows.length}</button>}
      </nav>
      {selected ? (
        <Detail key={selected.id} finding={selected} failure={judge.error} onState={(next) => decide(next)()} />
      ) : (
        <div className="detail"><div className="state"><p>Nothing to judge here.</p><p className="quiet"><kbd>c</kbd> confirms, <kbd>x</kbd> dismisses, <kbd>u</kbd> makes it new again.</p></div></div>
      )}
    </div>
  );
}

function Choice({ label, name, value, none, values, names = {} }: { label: string; name: string; value: string; none: string; values: readonly string[]; names?: Readonly<Record<string, string>> }) {
  return (
    <label className="choice">
      <span className="visually-hidden">{label}</span>
      <select aria-label={label} className={value !== none ? "on" : ""} value={value} onChange={(event) => set({ [name]: event.target.value === none ? null : event.target.value, finding: null })}>
        {values.map((item) => <option key={item} value={item}>{names[item] ?? (item ? `${shown(item.slice(0, 60))}${name === "severity" ? " and worse" : ""}` : `any ${name}`)}</option>)}
      </select>
    </label>
  );
}
