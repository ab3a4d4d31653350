import { useState } from "react";
import { IconButton } from "../parts/Button";
import { Icon } from "../parts/Icon";
import { Popover } from "../parts/Popover";
import type { Field } from "../server/types";

interface Props {
  columns: readonly string[];
  fields: readonly Field[];
  onChange: (columns: readonly string[] | null) => void;
}

const OFFERED = 40;

/** `columns` with `name` taken out, or put in before the message. */
export function toggled(columns: readonly string[], name: string): readonly string[] {
  if (columns.includes(name)) return columns.filter((item) => item !== name);
  return columns.at(-1) === "message" ? [...columns.slice(0, -1), name, "message"] : [...columns, name];
}

function moved(columns: readonly string[], index: number, by: 1 | -1): readonly string[] {
  const next = [...columns];
  const [item] = next.splice(index, 1);
  next.splice(index + by, 0, item!);
  return next;
}

/** Choose and order the columns. */
export function Columns({ columns, fields, onChange }: Props) {
  const [wanted, setWanted] = useState("");
  const needle = wanted.trim().toLowerCase();
  const offered = ["message", ...fields.filter((field) => field.type !== "object").map((field) => field.name)].filter(
    (name) => !columns.includes(name) && name.toLowerCase().includes(needle),
  );
  return (
    <Popover label="Choose columns" align="right" className="button quiet-button" button={<><Icon name="columns" /><span>Columns</span></>}>
      {() => (
        <div className="chooser">
          <ol>
            <li><span className="name quiet">time</span></li>
            {columns.map((name, index) => (
              <li key={name}>
                <span className="name"><bdi>{name}</bdi></span>
                <IconButton icon="up" label={`Move ${name} to the left`} disabled={index === 0} onClick={() => onChange(moved(columns, index, -1))} />
                <IconButton icon="close" label={`Remove column ${name}`} onClick={() => onChange(toggled(columns, name))} />
              </li>
            ))}
          </ol>
          <input data-autofocus type="search" placeholder="Add a column" aria-label="Find a column to add" value={wanted} onChange={(event) => setWanted(event.target.value)} />
          <ul>
            {offered.slice(0, OFFERED).map((name) => (
              <li key={name}>
                <button type="button" className="option" onClick={() => onChange(toggled(columns, name))}>
                  <Icon name="plus" />
                  <bdi>{name}</bdi>
                </button>
              </li>
            ))}
          </ul>
          <button type="button" className="text-button" onClick={() => onChange(null)}>
            Back to the usual columns
          </button>
        </div>
      )}
    </Popover>
  );
}
