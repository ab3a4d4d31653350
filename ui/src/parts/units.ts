/** Numbers with their units, as people read them. */
import { brief } from "../histogram/plot";
import { duration } from "../time/times";

export type Unit = "" | "ns" | "ms" | "s" | "usd" | "bytes" | "percent" | "ratio";

const BYTES = ["B", "kB", "MB", "GB", "TB"];

export function bytes(count: number): string {
  const step = count > 0 ? Math.min(Math.floor(Math.log10(count) / 3), BYTES.length - 1) : 0;
  return `${Number((count / 1000 ** Math.max(0, step)).toPrecision(3))} ${BYTES[Math.max(0, step)]}`;
}

export function usd(value: number): string {
  if (value === 0) return "$0";
  if (Math.abs(value) < 0.01) return `$${Number(value.toPrecision(2))}`;
  return `$${value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

const rounded = (value: number) => Number(value.toPrecision(3));

/** `value` as text with its unit. */
export function withUnit(value: number, unit: Unit): string {
  switch (unit) {
    case "ns": return duration(value);
    case "ms": return duration(value * 1e6);
    case "s": return duration(value * 1e9);
    case "usd": return usd(value);
    case "bytes": return bytes(value);
    case "percent": return `${rounded(value)}%`;
    case "ratio": return `${rounded(value * 100)}%`;
    default: return Number.isInteger(value) ? brief(value) : brief(Number(value.toPrecision(4)));
  }
}

/** How much `now` differs from `then`: `+12%`, `×3.1`, `new`; empty when they are alike or unknown. */
export function change(now: number | null, then: number | null): string {
  if (now === null || then === null) return "";
  if (then === 0) return now === 0 ? "" : "new";
  const ratio = now / then;
  if (ratio >= 2) return `×${rounded(ratio)}`;
  const share = Math.round((ratio - 1) * 100);
  return share === 0 ? "" : `${share > 0 ? "+" : "−"}${Math.abs(share)}%`;
}
