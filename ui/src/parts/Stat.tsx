import { change, withUnit } from "./units";
import type { Unit } from "./units";

interface Props {
  label: string;
  value: number | null | undefined;
  unit?: Unit;
  /** The same figure of the time before. */
  then?: number | null | undefined;
  /** Whether more is worse. */
  worse?: boolean;
  none?: string;
}

/** One figure, and how it differs from the same time before. */
export function Stat({ label, value, unit = "", then, worse = false, none = "unknown" }: Props) {
  const differs = change(value ?? null, then ?? null);
  const rising = value !== null && value !== undefined && then !== null && then !== undefined && value > then;
  const grave = worse && rising && (differs.startsWith("×") || differs === "new");
  return (
    <div className="stat">
      <dt>{label}</dt>
      <dd>
        {value === undefined ? <span className="quiet">…</span> : value === null ? <span className="quiet">{none}</span> : withUnit(value, unit)}
        {differs && <small className={grave ? "bad" : "quiet"} title={then === null || then === undefined ? "" : `before: ${withUnit(then, unit)}`}>{differs}</small>}
      </dd>
    </div>
  );
}
