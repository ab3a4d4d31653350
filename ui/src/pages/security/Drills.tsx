/** How drills went: of the attacks told on purpose, what was noticed, how soon, by what; and what was missed. */
import { EXPLORE, set, useAddress } from "../../address/address";
import { CopyButton } from "../../parts/CopyButton";
import { Link } from "../../parts/Link";
import { Broken, Waiting } from "../../parts/State";
import { Table } from "../../parts/Table";
import { shown } from "../../parts/Text";
import { useDrills } from "../../server/rules";
import type { Drill, DrillRow } from "../../server/rules";
import { useThere } from "../../server/status";
import { usePage } from "../../shell/page";
import { duration, short } from "../../time/times";

const percent = (share: number) => `${Number((share * 100).toPrecision(3))}%`;
const seconds = (value: number | null) => (value === null ? "" : duration(value * 1e9));

export function Drills() {
  const { tick } = usePage();
  const { more } = useAddress();
  const found = useDrills(tick);
  if (found.error) return <Broken error={found.error} again={() => void found.refetch()} />;
  if (!found.data) return <Waiting what="Fetching drills" />;
  if (found.data.length === 0) return <Never />;
  const place = Math.max(found.data.findIndex((item) => item.at === more["drill"]), 0);
  const drill = found.data[place]!;
  return (
    <main className="scroll">
      <div className="filters">
        <label className="choice">
          Drill
          <select className="long" aria-label="Drill" value={drill.at} onChange={(event) => set({ drill: event.target.value })}>
            {found.data.map((item) => <option key={item.at} value={item.at}>{short(item.at).slice(0, -4)}: {percent(item.result.rate)} noticed</option>)}
          </select>
        </label>
        <span className="quiet">{shown(drill.label)}, run by {shown(drill.by)}</span>
        <span className="spring" />
        <Link path={EXPLORE} className="quiet" to={{ stream: "drill-findings", q: "source=drill-findings", from: hourBefore(drill.at), to: drill.at }}>its findings</Link>
        <Link path={EXPLORE} className="quiet" to={{ stream: "drill-spans", q: "source=drill-spans", from: hourBefore(drill.at), to: drill.at }}>its records</Link>
      </div>
      <Whole drill={drill} earlier={found.data[place + 1]} />
    </main>
  );
}

function Whole({ drill: { result }, earlier }: { drill: Drill; earlier: Drill | undefined }) {
  const delays = result.techniques.map((row) => row.delay_s).filter((value): value is number => value !== null).sort((a, b) => a - b);
  const before = new Map((earlier?.result.techniques ?? []).map((row) => [row.technique, row.rate]));
  const attacks = result.techniques.filter((row) => !row.harmless).sort((a, b) => a.rate - b.rate || a.technique.localeCompare(b.technique));
  const harmless = result.techniques.filter((row) => row.harmless).reduce((sum, row) => sum + row.cases, 0);
  const unnoticed = result.told.filter((one) => !one.found);
  const alarms = result.told.filter((one) => one.found);
  const figures = [
    ["Attacks noticed", percent(result.rate)],
    ["Noticed", `${result.found} of ${result.cases}`],
    ["Time to detect, median", seconds(delays[Math.floor(delays.length / 2)] ?? null) || "not measured"],
    ["False alarms", `${result.false.length} of ${harmless}`],
  ] as const;
  return (
    <>
      <dl className="stats" aria-label="Figures of the drill">
        {figures.map(([name, value]) => <div key={name} className="stat"><dt>{name}</dt><dd>{value}</dd></div>)}
      </dl>
      <div className="grid">
        <section className="card wide-4 tall" aria-label="By technique">
          <header><h2>By technique</h2><span className="quiet note">least noticed first; kept apart from findings, incidents and alerts</span></header>
          <Table
            label="Techniques"
            rows={attacks}
            name={(row) => row.technique}
            columns={[
              { title: "technique", cell: (row) => shown(row.technique) },
              { title: "noticed", number: true, cell: (row) => `${row.found} of ${row.cases}` },
              { title: "share", cell: (row) => <Share row={row} before={before.get(row.technique)} /> },
              { title: "into the attack", number: true, cell: (row) => seconds(row.into_s) },
              { title: "time to detect", number: true, cell: (row) => seconds(row.delay_s) },
              { title: "noticed by", cell: (row) => <span title={shown(row.rules.join(", "))}>{shown(row.rules.join(", "))}</span> },
            ]}
          />
        </section>
        <Cases title="Missed" cases={unnoticed} empty="Every attack was noticed." />
        <Cases title="Told, though harmless" cases={alarms} empty="Nothing was said of the harmless ones." />
        {Object.entries(result.failures).map(([name, why]) => <p key={name} className="bad wide-4">{shown(name)}: {shown(why)}</p>)}
      </div>
    </>
  );
}

function Share({ row, before }: { row: DrillRow; before: number | undefined }) {
  const tone = row.rate >= 0.9 ? "good" : row.rate >= 0.5 ? "amber" : "bad";
  const moved = before === undefined || Math.abs(before - row.rate) < 0.005 ? "" : ` was ${percent(before)}`;
  return <span><meter min={0} max={1} value={row.rate} aria-label={`${shown(row.technique)} noticed`} /> <span className={tone}>{percent(row.rate)}</span><span className="quiet">{moved}</span></span>;
}

function Cases({ title, cases, empty }: { title: string; cases: Drill["result"]["told"]; empty: string }) {
  return (
    <section className="card wide-2" aria-label={title}>
      <header><h2>{title}</h2><span className="quiet note">{cases.length > 0 ? cases.length : ""}</span></header>
      {cases.length === 0 && <p className="quiet hollow">{empty}</p>}
      <ul className="told-cases">
        {cases.map((one) => <li key={one.case}><b>{shown(one.case)}</b> {one.rules.length > 0 && <span className="quiet">{shown(one.rules.join(", "))} </span>}<bdi>{shown(one.about)}</bdi></li>)}
      </ul>
    </section>
  );
}

function Never() {
  const there = useThere();
  const lines = `treering drill${there}\ntreering drill --technique jailbreak --technique secrets_leak --fail-under 0.9${there}`;
  return (
    <main className="scroll">
      <section className="first" data-testid="no-drills">
        <h2>No drill has been run on this server</h2>
        <p>A drill sends the telemetry of known attacks, tagged and kept apart so that nothing alarms, and says what was noticed, how soon, and what was missed.</p>
        <div className="line"><pre>{lines}</pre><CopyButton label="Copy: run a drill" text={() => lines} /></div>
      </section>
    </main>
  );
}

const hourBefore = (time: string): string => new Date(Date.parse(time) - 3600e3).toISOString();
