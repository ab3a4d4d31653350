/** The figures of calls by model, service, user or agent; a name filters by it. */
import { set, useAddress } from "../../address/address";
import { Card, Shown } from "../../parts/Card";
import { Table } from "../../parts/Table";
import { shown } from "../../parts/Text";
import { withUnit } from "../../parts/units";
import { rowsOf, useReplies } from "../../shell/page";
import { FIELDS, FIGURES, FILTERS } from "./calls";
import type { FilterName } from "./calls";

const BY: readonly [FilterName, string][] = [["model", "Model"], ["service", "Service"], ["user", "User"], ["agent", "Agent"], ["conversation", "Conversation"]];

export function Breakdown({ calls }: { calls: string }) {
  const { more } = useAddress();
  const by = BY.find(([name]) => name === more["by"])?.[0] ?? "model";
  const query = `${calls} | ${FIELDS}, who = coalesce(${FILTERS[by]}) | where isnotnull(who) | ${FIGURES} by who | eval tokens = input_tokens + output_tokens | sort - tokens | head 25`;
  const found = useReplies("llm by", { rows: query });
  const tools = (
    <div className="switch" role="group" aria-label="Figures by">
      {BY.map(([name, title]) => (
        <button key={name} type="button" aria-pressed={by === name} onClick={() => set({ by: name === "model" ? null : name }, true)}>{title}</button>
      ))}
    </div>
  );
  const figure = (name: string, unit: "" | "ns" | "usd" = "") => (row: Record<string, unknown>) => (row[name] === null ? <span className="quiet">none</span> : withUnit(Number(row[name]), unit));
  return (
    <Card title="Who uses most tokens" width={4} tools={tools} query={query}>
      <Shown reply={found.data?.answers["rows"]} empty={`No call names its ${by}.`}>
        {(answer) => (
          <Table
            label={`Figures by ${by}`}
            rows={rowsOf(answer)}
            columns={[
              { title: BY.find(([name]) => name === by)![1], cell: (row) => <button type="button" className="text-button" title="Only these calls" onClick={() => set({ [by]: String(row["who"]), call: null })}>{shown(String(row["who"]).slice(0, 80))}</button> },
              { title: "calls", number: true, cell: figure("calls") },
              { title: "failed", number: true, cell: (row) => (Number(row["failed"]) > 0 ? <span className="bad">{withUnit(Number(row["failed"]) / Number(row["calls"]), "ratio")}</span> : "0") },
              { title: "p50", number: true, cell: figure("p50_ns", "ns") },
              { title: "p95", number: true, cell: figure("p95_ns", "ns") },
              { title: "p99", number: true, cell: figure("p99_ns", "ns") },
              { title: "tokens in", number: true, cell: figure("input_tokens") },
              { title: "tokens out", number: true, cell: figure("output_tokens") },
              { title: "cost", number: true, cell: (row) => (Number(row["priced"]) > 0 ? withUnit(Number(row["usd_mean"]) * Number(row["priced"]), "usd") : <span className="quiet">unknown</span>) },
            ]}
          />
        )}
      </Shown>
    </Card>
  );
}
