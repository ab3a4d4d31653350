/** Dashboards: one list, and one of them with its panels. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { set, useAddress } from "../../address/address";
import { Card, Shown } from "../../parts/Card";
import { Bars } from "../../parts/Bars";
import { AnswerChart } from "../../parts/Chart";
import { Broken, Waiting } from "../../parts/State";
import { AnswerTable } from "../../parts/Table";
import { shown as visible } from "../../parts/Text";
import type { Unit } from "../../parts/units";
import { withUnit } from "../../parts/units";
import { useList } from "../../parts/useList";
import { drawable, isNumber } from "../../results/pivot";
import { call } from "../../server/client";
import type { Answer } from "../../server/types";
import { PageFrame } from "../../shell/PageFrame";
import { usePage } from "../../shell/page";
import type { Fault, Reply } from "../../shell/page";
import { Senders } from "../senders";

interface Entry {
  name: string;
  title: string;
  about: string;
  file: string;
  error?: Fault;
}

interface Panel {
  title: string;
  kind: "lines" | "bars" | "number" | "table";
  unit: Unit;
  width: 1 | 2 | 3 | 4;
  note: string;
  query: string;
  answer: Reply;
}

interface Shape {
  name: string;
  title: string;
  about: string;
  span: string;
  variables: { name: string; title: string; value: string; values: string[] }[];
  panels: Panel[];
  took_ms: number;
}

const VARIABLE = "var-";

export default function Dashboards({ dark }: { dark: boolean }) {
  const { more } = useAddress();
  const list = useQuery({ queryKey: ["dashboards"], queryFn: ({ signal }) => call<{ dashboards: Entry[] }>("/api/dashboards", undefined, signal) });
  const entries = list.data?.dashboards ?? [];
  const name = more["name"] ?? "";
  const shown = entries.find((entry) => entry.name === name);
  const tools = (
    <label className="choice">
      <span className="visually-hidden">Dashboard</span>
      <select value={name} onChange={(event) => set({ ...Object.fromEntries(Object.keys(more).map((key) => [key, null])), name: event.target.value })}>
        <option value="">All dashboards</option>
        {entries.map((entry) => <option key={entry.name} value={entry.name}>{visible(entry.title)}</option>)}
      </select>
    </label>
  );
  return (
    <PageFrame title={shown ? visible(shown.title) : "Dashboards"} about={shown && visible(shown.about)} dark={dark} tools={tools}>
      {list.error ? <Broken error={list.error} again={() => void list.refetch()} /> : !list.data ? <Waiting what="Fetching the dashboards" /> : name ? <One key={name} name={name} /> : <List entries={entries} />}
    </PageFrame>
  );
}

function List({ entries }: { entries: readonly Entry[] }) {
  const open = (entry: Entry) => set({ name: entry.name });
  const { at } = useList(entries, open, {}, 0);
  return (
    <main className="scroll">
      <ul className="tiles" aria-label="Dashboards">
        {entries.map((entry, index) => (
          <li key={entry.name}>
            <button type="button" className={index === at ? "cursor" : ""} onClick={() => open(entry)}>
              <strong>{visible(entry.title)}</strong>
              <span className="quiet">{visible(entry.about)}</span>
              {entry.error && <span className="bad">{visible(entry.error.message)}</span>}
              <code>{entry.file}</code>
            </button>
          </li>
        ))}
      </ul>
      <p className="quiet pad">A dashboard is one file of panels with PPL queries. Your own: name their folder as <code>dashboards</code> in treering.toml.</p>
    </main>
  );
}

function One({ name }: { name: string }) {
  const { more } = useAddress();
  const { from, to, tick } = usePage();
  const variables = Object.fromEntries(Object.entries(more).filter(([key]) => key.startsWith(VARIABLE)).map(([key, value]) => [key.slice(VARIABLE.length), value]));
  const found = useQuery({
    queryKey: ["dashboard", name, from, to, tick, variables],
    enabled: from !== "",
    queryFn: ({ signal }) => call<Shape>(`/api/dashboards/${encodeURIComponent(name)}`, { from, to, variables }, signal),
    placeholderData: keepPreviousData,
  });
  useList([], () => {}, { Escape: () => set({ name: null }) });
  if (found.error) return <Broken error={found.error} again={() => void found.refetch()} />;
  if (!found.data) return <Waiting what="Fetching the dashboard" />;
  return (
    <main className={`scroll ${found.isPlaceholderData ? "stale" : ""}`}>
      {found.data.variables.length > 0 && (
        <div className="filters" role="group" aria-label="Variables">
          {found.data.variables.map((variable) => (
            <label key={variable.name} className="choice">
              {visible(variable.title)}
              <select aria-label={variable.title} value={variable.value} onChange={(event) => set({ [VARIABLE + variable.name]: event.target.value }, true)}>
                <option value="">all</option>
                {[...new Set([variable.value, ...variable.values])].filter(Boolean).map((value) => <option key={value} value={value}>{visible(value.slice(0, 80))}</option>)}
              </select>
            </label>
          ))}
        </div>
      )}
      <div className="grid" data-testid="dashboard">
        {found.data.panels.map((panel, index) => (
          <Card key={index} title={panel.title} query={panel.query} note={panel.note} width={panel.width} className={`panel-${panel.kind}`}>
            <Shown reply={panel.answer}>{(answer) => <Drawn panel={panel} answer={answer} />}</Shown>
          </Card>
        ))}
      </div>
      {found.data.panels.every((panel) => "error" in panel.answer || panel.answer.datarows.length === 0) && <Senders kinds={["otel", "langchain", "file"]} />}
      <p className="quiet pad">Answered in {found.data.took_ms} ms, buckets of {found.data.span}.</p>
    </main>
  );
}

function Drawn({ panel, answer }: { panel: Panel; answer: Answer }) {
  if (panel.kind === "number") {
    const at = answer.schema.findIndex((column) => isNumber(column.type));
    const value = at < 0 ? null : (answer.datarows[0]?.[at] ?? null);
    return <p className="figure-big">{value === null ? <span className="quiet">unknown</span> : withUnit(Number(value), panel.unit)}</p>;
  }
  if (panel.kind === "table") return <AnswerTable answer={answer} label={panel.title} />;
  const drawn = drawable(answer, true);
  if (drawn?.kind === "names") return <Bars drawn={drawn} unit={panel.unit} />;
  return <AnswerChart answer={answer} kind={panel.kind} unit={panel.unit} label={panel.title} />;
}
