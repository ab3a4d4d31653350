/** The newest calls; one opens as a conversation. */
import { useQuery, keepPreviousData } from "@tanstack/react-query";
import { set, useAddress } from "../../address/address";
import { Card } from "../../parts/Card";
import { Table } from "../../parts/Table";
import type { Column } from "../../parts/Table";
import { shown } from "../../parts/Text";
import { withUnit } from "../../parts/units";
import { useList } from "../../parts/useList";
import { fieldAt } from "../../records/paths";
import { call } from "../../server/client";
import type { Page, Row } from "../../server/types";
import { usePage } from "../../shell/page";
import { short } from "../../time/times";
import { lastAsked } from "../../trace/Messages";
import { INPUT, MODEL, OUTPUT, USER } from "./calls";

const SHOWN = 50;
const BESIDE = new Set(["time", "model", "user", "duration", "state"]);

const text = (row: Row, path: string): string => {
  const value = fieldAt(row.record, path);
  return value === undefined || value === null ? "" : String(value);
};
const figure = (row: Row, path: string): number | null => {
  const value = Number(fieldAt(row.record, path) ?? NaN);
  return Number.isFinite(value) ? value : null;
};

/** `beside` leaves room for the conversation at its right. */
export function CallList({ calls, beside = false }: { calls: string; beside?: boolean }) {
  const { more } = useAddress();
  const { from, to, tick } = usePage();
  const found = useQuery({
    queryKey: ["calls", calls, from, to, tick],
    enabled: from !== "",
    queryFn: ({ signal }) => call<Page>("/api/search", { query: calls, from, to, size: SHOWN }, signal),
    placeholderData: keepPreviousData,
  });
  const rows = found.data?.records ?? [];
  const open = (row: Row) => set({ call: row.ref });
  const opened = rows.findIndex((row) => row.ref === more["call"]);
  const { at, setAt } = useList(rows, open, { Escape: () => set({ call: null }) }, opened);
  const figureCell = (path: string, unit: "" | "ns" = "") => (row: Row) => {
    const value = figure(row, path);
    return value === null ? <span className="quiet">none</span> : withUnit(value, unit);
  };
  const columns: Column<Row>[] = [
    { title: "time", cell: (row) => <time dateTime={row.time}>{short(row.time).slice(0, -4)}</time> },
    { title: "service", cell: (row) => shown(text(row, "serviceName")) },
    { title: "model", cell: (row) => shown(text(row, MODEL)) },
    { title: "user", cell: (row) => shown(text(row, USER)) },
    { title: "asked", cell: (row) => <span className="cut">{shown(lastAsked(fieldAt(row.record, "attributes.gen_ai.input.messages")))}</span> },
    { title: "duration", number: true, cell: figureCell("durationInNanos", "ns") },
    { title: "in", number: true, cell: figureCell(INPUT) },
    { title: "out", number: true, cell: figureCell(OUTPUT) },
    { title: "state", cell: (row) => (text(row, "status.code") === "2" ? <span className="bad">{shown(text(row, "attributes.error.type") || "error")}</span> : shown(text(row, "attributes.gen_ai.response.finish_reasons").replace(/[[\]"]/g, ""))) },
  ];
  return (
    <Card title="Newest calls" width={4} query={calls} note="j and k move, Enter opens" className={beside ? "tall" : ""}>
      {rows.length === 0 ? (
        <p className="quiet hollow">{found.data ? "No calls in this time range." : "fetching…"}</p>
      ) : (
        <Table
          label="Newest calls"
          rows={rows}
          name={(row) => row.ref}
          current={at}
          onRow={(row, index) => {
            setAt(index);
            open(row);
          }}
          columns={columns.filter((column) => !beside || BESIDE.has(column.title))}
        />
      )}
    </Card>
  );
}
