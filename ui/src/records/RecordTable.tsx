/** The records, newest first, only as many in the document as are on the screen. */
import { columnResizingFeature, columnSizingFeature, createColumnHelper, tableFeatures, useTable } from "@tanstack/react-table";
import { shown } from "../parts/Text";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";
import type { ReactNode } from "react";
import { usePrefs } from "../address/prefs";
import type { Row } from "../server/types";
import { duration, exact, short } from "../time/times";
import { asText, fieldAt } from "./paths";

/** A record, or the notice of a gap in the live tail before it. */
export interface Line {
  row: Row;
  gap?: number;
}

interface Props {
  lines: readonly Line[];
  columns: readonly string[];
  open: string | null;
  cursor: number;
  order: "desc" | "asc";
  onOpen: (row: Row, index: number) => void;
  onOrder: () => void;
  /** Called when the end of the list comes near. */
  onEnd: () => void;
  foot: ReactNode;
}

const PREVIEW = 600;
const features = tableFeatures({ columnSizingFeature, columnResizingFeature });
const helper = createColumnHelper<typeof features, Line>();
const WIDTHS: Record<string, number> = { serviceName: 150, durationInNanos: 92, "status.code": 104, message: 420, severityText: 84 };
const TITLES: Record<string, string> = { serviceName: "service", durationInNanos: "duration", "status.code": "status", severityText: "level" };

/** The text of one cell, bounded. */
function cellText(row: Row, column: string): string {
  if (column === "message") return shown((row.message ?? JSON.stringify(row.record)).slice(0, PREVIEW));
  const value = fieldAt(row.record, column);
  if (/InNanos$/.test(column) && value !== undefined && value !== null) return duration(Number(value));
  return shown(asText(value).slice(0, PREVIEW));
}

export function RecordTable({ lines, columns, open, cursor, order, onOpen, onOrder, onEnd, foot }: Props) {
  const { wrap, dense, zone } = usePrefs();
  const defs = useMemo(
    () =>
      helper.columns([
        helper.accessor((line) => line.row.time, { id: "time", header: () => "time", size: 158, minSize: 90 }),
        ...columns.map((name) =>
          helper.accessor((line) => cellText(line.row, name), { id: `c:${name}`, header: () => TITLES[name] ?? name, size: WIDTHS[name] ?? 170, minSize: 60, maxSize: 1200 }),
        ),
      ]),
    [columns],
  );
  const table = useTable({ features, columns: defs, data: lines as Line[], columnResizeMode: "onChange", getRowId: (line: Line) => line.row.ref });
  const headers = table.getHeaderGroups()[0]?.headers ?? [];
  const template = headers
    .map((header, index) => (index === headers.length - 1 ? `minmax(${Math.min(header.getSize(), 260)}px, 1fr)` : `${header.getSize()}px`))
    .join(" ");
  const narrow = headers.reduce((sum, header, index) => sum + (index === headers.length - 1 ? 260 : header.getSize()), 0);

  const box = useRef<HTMLDivElement>(null);
  const height = dense ? 22 : 30;
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => height,
    getItemKey: (index) => lines[index]!.row.ref,
    overscan: 20,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (lines.length > 0 && last >= lines.length - 40) onEnd();
  }, [last, lines.length, onEnd]);
  useEffect(() => {
    virtual.measure();
  }, [dense, wrap, zone, virtual]);
  useEffect(() => {
    if (cursor >= 0 && cursor < lines.length) virtual.scrollToIndex(cursor, { align: "auto" });
  }, [cursor]);

  return (
    <div
      className={`records ${wrap ? "wrap" : ""} ${dense ? "dense" : ""}`}
      ref={box}
      role="grid"
      aria-label="Records"
      aria-rowcount={lines.length}
      tabIndex={0}
      aria-activedescendant={cursor >= 0 && lines[cursor] ? `row-${lines[cursor].row.ref}` : undefined}
      data-testid="records"
    >
      <div className="records-head" role="row" style={{ gridTemplateColumns: `4px ${template}`, minWidth: narrow }}>
        <span role="presentation" />
        {headers.map((header) => (
          <div key={header.id} role="columnheader" className="column" aria-sort={header.id === "time" ? (order === "desc" ? "descending" : "ascending") : undefined}>
            {header.id === "time" ? (
              <button type="button" onClick={onOrder} title={order === "desc" ? "newest first: click for oldest first" : "oldest first: click for newest first"}>
                time <span aria-hidden="true">{order === "desc" ? "↓" : "↑"}</span>
              </button>
            ) : (
              <span title={header.id.slice(2)}><table.FlexRender header={header} /></span>
            )}
            <i className="resize" aria-hidden="true" onMouseDown={header.getResizeHandler()} onTouchStart={header.getResizeHandler()} />
          </div>
        ))}
      </div>
      <div className="virtual" role="presentation" style={{ height: virtual.getTotalSize(), minWidth: narrow }}>
        {items.map((item) => {
          const { row, gap } = lines[item.index]!;
          return (
            <div
              key={item.key}
              id={`row-${row.ref}`}
              data-index={item.index}
              data-ref={row.ref}
              ref={virtual.measureElement}
              role="row"
              aria-rowindex={item.index + 1}
              aria-selected={row.ref === open}
              className={`virtual-row record level-${row.level ?? "none"} ${item.index === cursor ? "cursor" : ""}`}
              style={{ transform: `translateY(${item.start}px)` }}
              onClick={() => (window.getSelection()?.isCollapsed ?? true) && onOpen(row, item.index)}
            >
              <div className="cells" role="presentation" style={{ gridTemplateColumns: `4px ${template}` }}>
                <span className="stripe" role="presentation" title={row.level ?? "no level"} />
                <time role="gridcell" dateTime={row.time} title={exact(row.time)}>
                  {short(row.time)}
                </time>
                {columns.map((name) => (
                  <span key={name} role="gridcell" className={name === "message" ? "message" : "cell"}>
                    {name === "message" && (row.level === "error" || row.level === "fatal" || row.level === "warn") && <b className="level">{row.level}</b>}
                    {cellText(row, name)}
                  </span>
                ))}
              </div>
              {gap !== undefined && (
                <div className="gap" role="note">
                  {gap.toLocaleString("en")} records not shown: they came faster than this page could take them
                </div>
              )}
            </div>
          );
        })}
      </div>
      {foot}
    </div>
  );
}
