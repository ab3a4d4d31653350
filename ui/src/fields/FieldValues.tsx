import { useState } from "react";
import { IconButton } from "../parts/Button";
import { Failure } from "../server/client";
import { FEW_VALUES, useValues } from "../server/queries";
import type { Question } from "../server/queries";
import type { Field, Json } from "../server/types";
import { brief } from "../histogram/plot";
import { shown } from "../parts/Text";

interface Props {
  question: Question;
  field: Field;
  onFilter: (field: string, value: Json, exclude: boolean) => void;
}

const MANY = 50;

/** The top values of a field under the present query. Click includes, alt-click or minus excludes. */
export function FieldValues({ question, field, onFilter }: Props) {
  const [limit, setLimit] = useState(FEW_VALUES);
  const { data, error, isPending } = useValues(question, field.name, limit);
  if (isPending) return <p className="quiet values-note">counting…</p>;
  if (error) return <p className="quiet values-note">{error instanceof Failure ? error.message : "no answer"}</p>;
  if (data.values.length === 0) return <p className="quiet values-note">in none of these records</p>;
  return (
    <ul className="values" aria-label={`Top values of ${field.name}`}>
      {data.values.map(({ value, count }) => {
        const text = value === null ? "(none)" : typeof value === "string" ? value || "(empty)" : JSON.stringify(value);
        const share = data.total ? (count / data.total) * 100 : 0;
        return (
          <li key={`${typeof value} ${text}`}>
            <button
              type="button"
              className="value"
              title={`${text.slice(0, 500)}\n${count.toLocaleString("en")} of ${data.total.toLocaleString("en")} · click to include, alt-click to exclude`}
              onClick={(event) => onFilter(field.name, value, event.altKey)}
            >
              <span className="bar" style={{ width: `${Math.max(1, share)}%` }} aria-hidden="true" />
              <span className="name">{shown(text.slice(0, 200))}</span>
              <span className="count">{brief(count)}</span>
            </button>
            <IconButton icon="minus" label={`Exclude ${text.slice(0, 80)}`} onClick={() => onFilter(field.name, value, true)} />
          </li>
        );
      })}
      {(data.distinct > data.values.length || data.missing > 0) && (
        <li className="values-note quiet">
          {data.distinct > data.values.length && limit === FEW_VALUES && (
            <button type="button" className="text-button" onClick={() => setLimit(MANY)}>
              {brief(data.distinct - data.values.length)} more
            </button>
          )}
          {data.distinct > data.values.length && limit === MANY && `${brief(data.distinct - data.values.length)} more. `}
          {data.missing > 0 && <span>{brief(data.missing)} without</span>}
        </li>
      )}
    </ul>
  );
}
