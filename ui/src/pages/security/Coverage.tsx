/** Which techniques of OWASP's lists and MITRE ATLAS something looks for, and what of that is proven. */
import { useState } from "react";
import { set } from "../../address/address";
import { Broken, Waiting } from "../../parts/State";
import { Table } from "../../parts/Table";
import { brief } from "../../parts/brief";
import { shown } from "../../parts/Text";
import { useCoverage } from "../../server/rules";
import type { Technique } from "../../server/rules";

const NAMES: Readonly<Record<string, string>> = { "owasp-llm": "OWASP Top 10 for LLM applications", "owasp-agentic": "OWASP Top 10 for agents", "mitre-atlas": "MITRE ATLAS", "mitre-attack": "MITRE ATT&CK" };
const STATES: Readonly<Record<string, readonly [string, string]>> = {
  proven: ["good", "two cases or examples of it are tests"],
  "one case": ["amber", "one case or example of it is a test"],
  "drill only": ["amber", "a drill has attacks for it; whether they are noticed is known when it is run"],
  "claimed, untested": ["amber", "a rule names it and carries no case"],
  nothing: ["bad", "nothing here looks for it"],
};
const frameworkOf = (id: string) => id.slice(0, id.search(/[@:]/));

export function Coverage() {
  const found = useCoverage();
  const [gaps, setGaps] = useState(false);
  if (found.error) return <Broken error={found.error} again={() => void found.refetch()} />;
  if (!found.data) return <Waiting what="Running the detectors' examples" />;
  const frameworks = [...new Set(found.data.map((item) => frameworkOf(item.id)))];
  return (
    <main className="scroll">
      <div className="filters">
        <label className="choice"><input type="checkbox" checked={gaps} onChange={(event) => setGaps(event.target.checked)} /> only what is not proven</label>
        {Object.entries(STATES).map(([state, [tone, says]]) => <span key={state} className="quiet" title={says}><span className={tone}>{found.data.filter((item) => item.state === state).length}</span> {state}</span>)}
      </div>
      <div className="grid">
        {frameworks.map((framework) => {
          const all = found.data.filter((item) => frameworkOf(item.id) === framework);
          const rows = all.filter((item) => !gaps || item.state !== "proven");
          const title = NAMES[framework] ?? framework;
          return (
            <section key={framework} className="card wide-4 tall wraps" aria-label={title}>
              <header><h2>{title}</h2><span className="quiet note">{all.filter((item) => item.state === "proven").length} of {all.length} proven</span></header>
              {rows.length === 0 ? <p className="quiet hollow">Nothing is missing.</p> : <Map title={title} rows={rows} />}
            </section>
          );
        })}
      </div>
    </main>
  );
}

function Map({ title, rows }: { title: string; rows: readonly Technique[] }) {
  return (
    <Table
      label={title}
      rows={rows}
      name={(item) => item.id}
      columns={[
        { title: "technique", cell: (item) => <span title={shown(item.id)}>{brief(item.id)}{item.edition_2025 && item.edition_2025 !== item.id.slice(item.id.indexOf(":") + 1) ? <span className="quiet"> {item.edition_2025} in 2025</span> : null}</span> },
        { title: "what", cell: (item) => shown(item.name) },
        { title: "state", cell: (item) => <span className={STATES[item.state]?.[0] ?? ""} title={STATES[item.state]?.[1]}>{item.state}</span> },
        { title: "detectors", cell: (item) => <Few names={item.detectors} /> },
        { title: "rules", cell: (item) => <Few names={item.rules} onName={(name) => set({ show: "rules", rule: name })} /> },
        { title: "drills", cell: (item) => <Few names={item.drills} /> },
      ]}
    />
  );
}

const FEW = 2;

function Few({ names, onName }: { names: readonly string[]; onName?: (name: string) => void }) {
  const [all, setAll] = useState(false);
  return (
    <span>
      {names.slice(0, all ? undefined : FEW).map((name, index) => (
        <span key={name}>{index > 0 && ", "}{onName ? <button type="button" className="text-button" onClick={() => onName(name)}>{shown(name)}</button> : shown(name)}</span>
      ))}
      {names.length > FEW && !all && " "}
      {names.length > FEW && !all && <button type="button" className="text-button" onClick={() => setAll(true)}>and {names.length - FEW} more</button>}
    </span>
  );
}
