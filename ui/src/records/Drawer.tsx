/** One record in full: its fields, its JSON, what happened around it. */
import { useRef } from "react";
import type { PointerEvent } from "react";
import { go } from "../address/address";
import type { Tab } from "../address/address";
import { prefer, usePrefs } from "../address/prefs";
import { IconButton } from "../parts/Button";
import { CopyButton } from "../parts/CopyButton";
import { Icon } from "../parts/Icon";
import { Broken, Waiting } from "../parts/State";
import { member, parseJson } from "../server/json";
import { useRecordText } from "../server/queries";
import type { Field, Fields, Json, Row } from "../server/types";
import { exact } from "../time/times";
import { Context } from "./Context";
import { FieldTable } from "./FieldTable";
import { RawJson } from "./RawJson";
import { traceOf } from "./paths";

interface Props {
  reference: string;
  row: Row | null;
  tab: Tab;
  fields: readonly Field[];
  columns: readonly string[];
  onColumn: (name: string) => void;
  onFilter: (field: string, value: Json, exclude: boolean) => void;
  onTrace: (id: string) => void;
  onClose: () => void;
}

const TABS: readonly [Tab, string][] = [["fields", "Fields"], ["json", "JSON"], ["context", "Context"]];
const NARROW = 360;

export function Drawer({ reference, row, tab, fields, columns, onColumn, onFilter, onTrace, onClose }: Props) {
  const { drawer } = usePrefs();
  const { data, error, refetch } = useRecordText(reference);
  const sent = data === undefined ? undefined : (parseJson(data) as { time: string; record: Fields });
  const record = sent?.record ?? row?.record;
  const time = row?.time ?? sent?.time;
  const trace = record ? traceOf(record) : null;
  const raw = () => (data === undefined ? "" : (member(data, "record") ?? data));
  return (
    <aside className="drawer" style={{ width: drawer }} aria-label="Record" data-testid="drawer">
      <Edge width={drawer} />
      <header>
        <span className={`badge level-${row?.level ?? "none"}`}>{row?.level ?? reference.split("/")[0]}</span>
        <time dateTime={time}>{time ? exact(time) : reference}</time>
        <span className="spring" />
        {trace && (
          <button type="button" className="button quiet-button" onClick={() => onTrace(trace)} title="Open the trace of this record (t)">
            <Icon name="trace" />
            Trace
          </button>
        )}
        <CopyButton icon="link" label="Copy link to this record" text={() => window.location.href} />
        <CopyButton label="Copy as JSON" text={raw} />
        <IconButton icon="close" label="Close" keys="Esc" onClick={onClose} />
      </header>
      <div className="tabs" role="tablist" aria-label="Views of the record">
        {TABS.map(([id, title]) => (
          <button key={id} type="button" role="tab" aria-selected={tab === id} onClick={() => go({ tab: id }, true)}>
            {title}
          </button>
        ))}
      </div>
      <div className="drawer-body" role="tabpanel" aria-label={TABS.find(([id]) => id === tab)?.[1]}>
        {tab === "context" ? (
          <Context reference={reference} />
        ) : tab === "json" && data !== undefined ? (
          <RawJson text={raw()} />
        ) : record ? (
          <FieldTable record={record} fields={fields} columns={columns} onColumn={onColumn} onFilter={onFilter} onTrace={onTrace} />
        ) : error ? (
          <Broken error={error} again={() => void refetch()} />
        ) : (
          <Waiting what="Fetching the record" />
        )}
      </div>
    </aside>
  );
}

/** The edge that sets the drawer's width: drag it, or use the arrow keys. */
function Edge({ width }: { width: number }) {
  const start = useRef<{ x: number; width: number } | null>(null);
  const set = (wanted: number) => prefer({ drawer: Math.round(Math.min(Math.max(wanted, NARROW), window.innerWidth * 0.75)) });
  const move = (event: PointerEvent) => start.current && set(start.current.width + start.current.x - event.clientX);
  return (
    <div
      className="edge"
      role="separator"
      tabIndex={0}
      aria-orientation="vertical"
      aria-label="Width of the record"
      aria-valuenow={width}
      aria-valuemin={NARROW}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        start.current = { x: event.clientX, width };
      }}
      onPointerMove={move}
      onPointerUp={() => (start.current = null)}
      onKeyDown={(event) => {
        if (event.key === "ArrowLeft") set(width + 40);
        if (event.key === "ArrowRight") set(width - 40);
      }}
    />
  );
}
