import { Fragment, useState } from "react";
import { IconButton } from "../parts/Button";
import { CopyButton } from "../parts/CopyButton";
import { Text } from "../parts/Text";
import type { Field, Fields, Json } from "../server/types";
import { duration, exact, nanos } from "../time/times";
import { asText, flatten } from "./paths";

interface Props {
  record: Fields;
  fields?: readonly Field[];
  columns?: readonly string[];
  /** Put before every name when a filter is made (`attributes.`). */
  prefix?: string;
  onColumn?: (name: string) => void;
  onFilter?: (field: string, value: Json, exclude: boolean) => void;
  onTrace?: (id: string) => void;
}

const FIRST = ["@timestamp", "time", "severityText", "serviceName", "body", "message", "name", "traceId", "spanId", "durationInNanos"];
const rank = (name: string): number => {
  const found = FIRST.indexOf(name);
  if (found >= 0) return found;
  return name.startsWith("attributes.") ? 50 : name.startsWith("resource.") ? 70 : name.startsWith("instrumentationScope.") ? 80 : 60;
};

/** What a value means, where its digits alone do not say it. */
function meaning(name: string, value: Json): string | null {
  if (/InNanos$|duration_ns$/i.test(name) && Number.isFinite(Number(value))) return duration(Number(value));
  if (typeof value === "string" && /time/i.test(name) && nanos(value) !== null) return exact(value);
  if (/^@timestamp$|[tT]ime$/.test(name) && /^\d{18,20}$/.test(String(value))) {
    const ns = BigInt(value as string | number);
    return exact(`${new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19)}.${String(ns % 1_000_000_000n).padStart(9, "0")}Z`);
  }
  return null;
}

/** Fields and values, each with what can be done with it. */
export function FieldTable({ record, fields = [], columns = [], prefix = "", onColumn, onFilter, onTrace }: Props) {
  const [wanted, setWanted] = useState("");
  const types = new Map(fields.map((field) => [field.name, field.type]));
  const needle = wanted.toLowerCase();
  const items = flatten(record)
    .filter(([name, value]) => !needle || name.toLowerCase().includes(needle) || asText(value).toLowerCase().includes(needle))
    .sort((a, b) => rank(a[0]) - rank(b[0]));
  return (
    <>
      <input className="find" type="search" placeholder="Find in this record" aria-label="Find in this record" value={wanted} onChange={(event) => setWanted(event.target.value)} />
      <table className="field-table">
        <tbody>
          {items.map(([name, value]) => {
            const scalar = typeof value !== "object" || value === null;
            const said = meaning(name, value);
            const full = prefix + name;
            return (
              <tr key={name}>
                <th scope="row" title={types.get(full) ? `${full} (${types.get(full)})` : full}><bdi>{name.split(".").map((part, index) => (index ? <Fragment key={index}>.<wbr />{part}</Fragment> : part))}</bdi></th>
                <td>
                  <div className={`field-value ${value === null ? "null" : typeof value}`}>
                    {value === null ? "null" : <Text text={scalar ? asText(value) : JSON.stringify(value, null, 1)} />}
                    {said && <span className="quiet"> {said}</span>}
                  </div>
                  <div className="field-acts">
                    {onTrace && /trace_?id$/i.test(name) && typeof value === "string" && value && <IconButton icon="trace" label={`Open trace ${value}`} onClick={() => onTrace(value)} />}
                    {onFilter && scalar && <IconButton icon="plus" label={`Filter on this: ${full}`} onClick={() => onFilter(full, value, false)} />}
                    {onFilter && scalar && <IconButton icon="minus" label={`Exclude this: ${full}`} onClick={() => onFilter(full, value, true)} />}
                    {onColumn && <IconButton icon="columns" pressed={columns.includes(full)} label={`${columns.includes(full) ? "Remove" : "Add"} column ${full}`} onClick={() => onColumn(full)} />}
                    <CopyButton label={`Copy ${name}`} text={() => asText(value)} />
                  </div>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {items.length === 0 && <p className="quiet pad">Nothing in this record matches.</p>}
    </>
  );
}
