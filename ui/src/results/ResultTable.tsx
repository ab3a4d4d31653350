import { createColumnHelper, createSortedRowModel, rowSortingFeature, tableFeatures, useTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import { usePrefs } from "../address/prefs";
import { asText } from "../records/paths";
import type { Answer, Json } from "../server/types";
import { exact, nanos } from "../time/times";
import { isNumber } from "./pivot";
import { shown } from "../parts/Text";

type Cells = Json[];
const features = tableFeatures({ rowSortingFeature, sortedRowModel: createSortedRowModel() });
const helper = createColumnHelper<typeof features, Cells>();
const PREVIEW = 400;

/** Order of two cells: numbers by size (long ones too), the rest as text, nothing last. */
function compare(a: Json, b: Json): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  const [left, right] = [Number(a), Number(b)];
  if (typeof a !== "boolean" && Number.isFinite(left) && Number.isFinite(right) && a !== "" && b !== "") return left - right;
  return asText(a).localeCompare(asText(b));
}

/** A cell as text; instants, which come in UTC, in the page's zone. */
const cellText = (value: Json, type: string): string =>
  type === "timestamp" && typeof value === "string" && nanos(value) !== null ? exact(value).replace(/\.000 /, " ") : shown(asText(value).slice(0, PREVIEW));

/** The rows of a table answer; a click on a heading sorts them. */
export function ResultTable({ answer }: { answer: Answer }) {
  const { dense } = usePrefs();
  const columns = useMemo(
    () =>
      helper.columns(
        answer.schema.map((column, index) =>
          helper.accessor((row) => row[index] ?? null, {
            id: String(index),
            header: () => column.alias ?? column.name,
            sortFn: (a, b) => compare(a.original[index] ?? null, b.original[index] ?? null),
            sortDescFirst: isNumber(column.type),
          }),
        ),
      ),
    [answer.schema],
  );
  const table = useTable({ features, columns, data: answer.datarows });
  const rows = table.getRowModel().rows;
  const box = useRef<HTMLDivElement>(null);
  const height = dense ? 24 : 30;
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => box.current, estimateSize: () => height, overscan: 20 });
  const items = virtual.getVirtualItems();
  const above = items[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <div className={`result ${dense ? "dense" : ""}`} ref={box} tabIndex={0} role="region" aria-label="Result" data-testid="result">
      <table>
        <thead>
          <tr>
            {(table.getHeaderGroups()[0]?.headers ?? []).map((header, index) => {
              const sorted = header.column.getIsSorted();
              return (
                <th key={header.id} scope="col" className={isNumber(answer.schema[index]?.type ?? "") ? "number" : ""} aria-sort={sorted === "asc" ? "ascending" : sorted === "desc" ? "descending" : "none"}>
                  <button type="button" onClick={header.column.getToggleSortingHandler()} title={answer.schema[index]?.type}>
                    <table.FlexRender header={header} />
                    <span aria-hidden="true">{sorted === "asc" ? " ↑" : sorted === "desc" ? " ↓" : ""}</span>
                  </button>
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {above > 0 && <tr style={{ height: above }} aria-hidden="true" />}
          {items.map((item) => (
            <tr key={item.key} style={{ height }}>
              {rows[item.index]!.original.map((value, index) => (
                <td key={index} className={isNumber(answer.schema[index]?.type ?? "") ? "number" : ""} title={asText(value).slice(0, 2000)}>
                  {value === null ? <span className="quiet">null</span> : cellText(value, answer.schema[index]?.type ?? "")}
                </td>
              ))}
            </tr>
          ))}
          {below > 0 && <tr style={{ height: below }} aria-hidden="true" />}
        </tbody>
      </table>
    </div>
  );
}
