/** The fields of the stream: which the records have, their top values, and filters from them. */
import { useMemo, useRef, useState } from "react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { IconButton } from "../parts/Button";
import { Icon } from "../parts/Icon";
import { flatten } from "../records/paths";
import { OPEN_FIELDS } from "../server/queries";
import type { Question } from "../server/queries";
import type { Field, Json, Row } from "../server/types";
import { FieldValues } from "./FieldValues";

interface Props {
  fields: readonly Field[];
  rows: readonly Row[];
  /** Null while the query cannot run: no values then. */
  question: Question | null;
  columns: readonly string[];
  onColumn: (name: string) => void;
  onFilter: (field: string, value: Json, exclude: boolean) => void;
  onHide: () => void;
}

type Line = { kind: "head"; text: string } | { kind: "field"; field: Field; share: number | null };

const SAMPLE = 200;
const HIDDEN = new Set(["object", "nested", "flat_object"]);
const SIGNS: Record<string, string> = { text: "T", keyword: "T", boolean: "?", ip: "ip", date: "◷", date_nanos: "◷" };
const sign = (type: string): string => SIGNS[type] ?? (/long|int|float|double|short|byte/.test(type) ? "#" : "·");

/** In how many of the first records each field is. */
function shares(rows: readonly Row[]): Map<string, number> {
  const counts = new Map<string, number>();
  const sample = rows.slice(0, SAMPLE);
  for (const row of sample) for (const [name] of flatten(row.record)) counts.set(name, (counts.get(name) ?? 0) + 1 / sample.length);
  return counts;
}

const FIRST = ["severityText", "serviceName", "level", "service", "name", "kind", "status.code"];
const order = (a: Field, b: Field): number => {
  const [left, right] = [FIRST.indexOf(a.name), FIRST.indexOf(b.name)];
  if (left !== right) return (left < 0 ? 99 : left) - (right < 0 ? 99 : right);
  return a.name.localeCompare(b.name);
};

function lines(fields: readonly Field[], rows: readonly Row[], wanted: string): Line[] {
  const present = shares(rows);
  const needle = wanted.trim().toLowerCase();
  const usable = fields
    .filter((field) => !HIDDEN.has(field.type) && (!needle || field.name.toLowerCase().includes(needle)))
    .map((field): Line & { kind: "field" } => ({ kind: "field", field, share: present.get(field.name) ?? null }))
    .sort((a, b) => order(a.field, b.field));
  const here = usable.filter((line) => line.share !== null);
  const others = usable.filter((line) => line.share === null);
  const group = (text: string, items: Line[]): Line[] => (items.length ? [{ kind: "head", text: `${text} · ${items.length}` }, ...items] : []);
  return [...group("In these records", here), ...group(here.length ? "Other fields" : "Fields", others)];
}

export function FieldList({ fields, rows, question, columns, onColumn, onFilter, onHide }: Props) {
  const [wanted, setWanted] = useState("");
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set(OPEN_FIELDS));
  const items = useMemo(() => lines(fields, rows, wanted), [fields, rows, wanted]);
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => box.current,
    estimateSize: () => 26,
    getItemKey: (index) => {
      const line = items[index]!;
      return line.kind === "head" ? line.text : line.field.name;
    },
    overscan: 12,
  });
  const toggle = (name: string) => {
    const next = new Set(open);
    if (!next.delete(name)) next.add(name);
    setOpen(next);
  };
  return (
    <aside className="fields" aria-label="Fields">
      <div className="fields-search">
        <Icon name="search" />
        <input type="search" placeholder="Find a field" aria-label="Find a field" value={wanted} onChange={(event) => setWanted(event.target.value)} />
        <IconButton icon="left" label="Hide the fields" onClick={onHide} />
      </div>
      <div className="fields-list" ref={box}>
        {items.length === 0 && <p className="quiet pad">{fields.length ? "No field is called that." : question && "No fields yet."}</p>}
        <div className="virtual" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const line = items[item.index]!;
            return (
              <div key={item.key} data-index={item.index} ref={virtual.measureElement} className="virtual-row" style={{ transform: `translateY(${item.start}px)` }}>
                {line.kind === "head" ? (
                  <h2>{line.text}</h2>
                ) : (
                  <div className="field">
                    <div className="field-head">
                      <button type="button" className="field-name" aria-expanded={open.has(line.field.name)} title={`${line.field.name} (${line.field.type})`} onClick={() => toggle(line.field.name)}>
                        <span className="sign" aria-hidden="true">{sign(line.field.type)}</span>
                        <span className="name"><bdi>{line.field.name}</bdi></span>
                        {line.share !== null && line.share < 0.995 && <span className="share">{Math.max(1, Math.round(line.share * 100))}%</span>}
                      </button>
                      <IconButton
                        icon={columns.includes(line.field.name) ? "check" : "columns"}
                        pressed={columns.includes(line.field.name)}
                        label={`${columns.includes(line.field.name) ? "Remove" : "Add"} column ${line.field.name}`}
                        onClick={() => onColumn(line.field.name)}
                      />
                    </div>
                    {question && open.has(line.field.name) && <FieldValues question={question} field={line.field} onFilter={onFilter} />}
                  </div>
                )}
              </div>
            );
          })}
        </div>
      </div>
    </aside>
  );
}
