/** Every service: how it does against the same time before, the worst first. */
import { EXPLORE } from "../../address/address";
import { Card, Shown } from "../../parts/Card";
import { Link } from "../../parts/Link";
import { Table } from "../../parts/Table";
import { shown } from "../../parts/Text";
import { change, withUnit } from "../../parts/units";
import type { Unit } from "../../parts/units";
import { literal } from "../../query/text";
import { before, rowsOf, usePage, useReplies } from "../../shell/page";
import { COST, INPUT, OUTPUT } from "../llm/calls";

type Row = Record<string, unknown>;
type Colour = "red" | "amber" | "green";

const QUERY = `source=spans | eval used = coalesce(${INPUT}, 0) + coalesce(${OUTPUT}, 0), usd = coalesce(${COST}) | stats count() as spans, count(eval(status.code = 2)) as failed, p95(durationInNanos) as p95_ns, sum(used) as tokens, avg(usd) as usd_mean, count(usd) as priced by serviceName`;

/** Fewer spans than this say nothing about a rate. */
const FEW = 20;
const number = (row: Row | undefined, name: string): number | null => (row?.[name] === null || row?.[name] === undefined ? null : Number(row[name]));
const rate = (row: Row | undefined): number | null => (row && Number(row["spans"]) > 0 ? Number(row["failed"]) / Number(row["spans"]) : null);
const cost = (row: Row | undefined): number | null => (row && Number(row["priced"]) > 0 ? Number(row["usd_mean"]) * Number(row["priced"]) : null);

/**
 * Red: 5 % fail and twice as many as before, or p95 is twice what it was, or tokens are three times as many.
 * Amber: 2 % fail and half as many again, or p95 is 1.4 times, or tokens are 1.8 times. With nothing before, only rates count.
 */
export function judged(now: Row, then: Row | undefined): { colour: Colour; why: string } {
  if (Number(now["spans"]) < FEW) return { colour: "green", why: "too few spans to judge" };
  const [failing, failed] = [rate(now) ?? 0, rate(then)];
  const times = (name: string) => (then && Number(then["spans"]) >= FEW && Number(then[name]) > 0 ? Number(now[name]) / Number(then[name]) : 1);
  const [slower, more] = [times("p95_ns"), times("tokens")];
  const grows = (factor: number) => failed === null || failing >= failed * factor;
  if (failing >= 0.05 && grows(2)) return { colour: "red", why: "failures" };
  if (slower >= 2) return { colour: "red", why: "latency" };
  if (more >= 3) return { colour: "red", why: "tokens" };
  if (failing >= 0.02 && grows(1.5)) return { colour: "amber", why: "failures" };
  if (slower >= 1.4) return { colour: "amber", why: "latency" };
  if (more >= 1.8) return { colour: "amber", why: "tokens" };
  return { colour: "green", why: "as before" };
}

export function Services() {
  const { from, to, compare } = usePage();
  const found = useReplies("services", { now: QUERY, ...(compare ? { then: { query: QUERY, ...before(from, to) } } : {}) });
  const replies = found.data?.answers ?? {};
  const past = new Map(rowsOf(replies["then"]).map((row) => [String(row["serviceName"]), row]));
  const order: Colour[] = ["red", "amber", "green"];
  const figure = (name: string, unit: Unit) => (row: Row) => <Change now={number(row, name)} then={number(past.get(String(row["serviceName"])), name)} unit={unit} />;
  return (
    <Card title="Services" width={4} query={QUERY} note={compare ? "against the same time before" : "no records of the time before to compare with"}>
      <Shown reply={replies["now"]} empty="No spans in this time range: services show here when they send traces.">
        {(answer) => {
          const rows = rowsOf(answer)
            .map((row) => ({ ...row, ...judged(row, past.get(String(row["serviceName"]))) }) as Row)
            .sort((a, b) => order.indexOf(a["colour"] as Colour) - order.indexOf(b["colour"] as Colour) || Number(b["spans"]) - Number(a["spans"]));
          return (
            <Table
              label="Services"
              rows={rows}
              columns={[
                { title: "service", cell: (row) => {
                  const name = String(row["serviceName"]);
                  return (
                    <>
                      <i className={`signal ${String(row["colour"])}`} role="img" aria-label={String(row["colour"])} title={String(row["why"])} />{" "}
                      <Link path={EXPLORE} to={{ stream: "spans", q: `source=spans | where serviceName = ${literal(name)}` }}>{shown(name)}</Link>
                    </>
                  );
                } },
                { title: "because of", cell: (row) => (row["colour"] === "green" ? <span className="quiet">{String(row["why"])}</span> : <span className={row["colour"] === "red" ? "bad" : "amber"}>{String(row["why"])}</span>) },
                { title: "spans", number: true, cell: figure("spans", "") },
                { title: "failed", number: true, cell: (row) => <Change now={rate(row)} then={rate(past.get(String(row["serviceName"])))} unit="ratio" worse /> },
                { title: "p95", number: true, cell: (row) => <Change now={number(row, "p95_ns")} then={number(past.get(String(row["serviceName"])), "p95_ns")} unit="ns" worse /> },
                { title: "tokens", number: true, cell: figure("tokens", "") },
                { title: "cost", number: true, cell: (row) => <Change now={cost(row)} then={cost(past.get(String(row["serviceName"])))} unit="usd" /> },
              ]}
            />
          );
        }}
      </Shown>
    </Card>
  );
}

function Change({ now, then, unit, worse = false }: { now: number | null; then: number | null; unit: Unit; worse?: boolean }) {
  if (now === null) return <span className="quiet">unknown</span>;
  const differs = change(now, then);
  const grave = worse && then !== null && now > then && (differs.startsWith("×") || differs === "new");
  return (
    <>
      {withUnit(now, unit)} <small className={`delta ${grave ? "bad" : "quiet"}`} title={then === null ? "" : `before: ${withUnit(then, unit)}`}>{differs}</small>
    </>
  );
}
