/** A small table of rows from an answer or from a list: names at the left, figures at the right. */
import type { ReactNode } from "react";
import { asText } from "../records/paths";
import { isNumber } from "../results/pivot";
import { instant } from "../server/findings";
import type { Answer } from "../server/types";
import { exact, nanos } from "../time/times";
import { shown } from "./Text";
import { withUnit } from "./units";
import type { Unit } from "./units";

export interface Column<T> {
  title: string;
  cell: (row: T) => ReactNode;
  number?: boolean;
}

export function Table<T>({ label, columns, rows, onRow, current, name }: { label: string; columns: readonly Column<T>[]; rows: readonly T[]; onRow?: (row: T, index: number) => void; current?: number; name?: (row: T) => string }) {
  return (
    <div className="tabled">
      <table aria-label={label}>
        <thead>
          <tr>{columns.map((column) => <th key={column.title} scope="col" className={column.number ? "number" : ""}>{column.title}</th>)}</tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr
              key={name ? name(row) : index}
              ref={index === current ? (node) => node?.scrollIntoView({ block: "nearest" }) : undefined}
              className={`${onRow ? "can" : ""} ${index === current ? "cursor" : ""}`}
              aria-selected={onRow ? index === current : undefined}
              onClick={onRow ? () => onRow(row, index) : undefined}
            >
              {columns.map((column) => <td key={column.title} className={column.number ? "number" : ""}>{column.cell(row)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

// Figures say their unit in their name: `p95_ns`, `cost_usd`.
const UNIT_NAMES: readonly [RegExp, Unit][] = [[/(_ns|[Nn]anos|durationInNanos\)?)$/, "ns"], [/_ms$/, "ms"], [/_s$/, "s"], [/(usd|cost)$/, "usd"], [/_bytes$/, "bytes"], [/_percent$/, "percent"], [/_ratio$/, "ratio"]];
export const unitOf = (name: string): Unit => UNIT_NAMES.find(([pattern]) => pattern.test(name))?.[1] ?? "";

// Nanoseconds since 1970, from 2001 on.
const INSTANT = /^[12]\d{18}$/;

export function AnswerTable({ answer, label }: { answer: Answer; label: string }) {
  const columns = answer.schema.map((column, at): Column<Answer["datarows"][number]> => {
    const title = column.alias ?? column.name;
    const figure = isNumber(column.type);
    const unit = unitOf(title);
    const cell = (row: Answer["datarows"][number]): ReactNode => {
      const value = row[at] ?? null;
      if (value === null) return <span className="quiet">none</span>;
      if (figure && INSTANT.test(String(value))) return exact(instant(value) ?? "").replace(/\.\d+ /, " ");
      if (figure) return withUnit(Number(value), unit);
      if (column.type === "timestamp" && typeof value === "string" && nanos(value) !== null) return exact(value).replace(/\.\d+ /, " ");
      return <bdi title={shown(asText(value).slice(0, 1000))}>{shown(asText(value).slice(0, 240))}</bdi>;
    };
    return { title: (unit ? title.replace(/_(ns|ms|s|usd|bytes|percent|ratio)$/, "") : title).replace(/^(resource\.)?attributes\./, ""), cell, number: figure };
  });
  const order = [...columns.filter((column) => !column.number), ...columns.filter((column) => column.number)];
  return <Table label={label} columns={order} rows={answer.datarows} />;
}
