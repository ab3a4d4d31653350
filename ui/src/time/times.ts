/** Instants, ranges and durations: reading what people type, writing what they read. */
import { prefs } from "../address/prefs";

const UNITS: Record<string, number> = { s: 1e3, m: 60e3, h: 3600e3, d: 86400e3, w: 604800e3 };
const RELATIVE = /^now(?:-(\d+)([smhdw]))?$/;
const INSTANT = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d)?$/;

export const PRESETS = ["5m", "15m", "30m", "1h", "3h", "6h", "12h", "24h", "2d", "7d", "14d", "30d"] as const;

/** Nanoseconds since the epoch of an RFC 3339 instant, or of a zone-less one in UTC; null when it is neither. */
export function nanos(text: string): bigint | null {
  const found = INSTANT.exec(text.trim());
  if (!found) return null;
  const clock = found[2]!.length === 5 ? `${found[2]}:00` : found[2]!;
  const zone = (found[4] ?? "Z").replace(/^([+-]\d\d)(\d\d)$/, "$1:$2");
  const seconds = Date.parse(`${found[1]}T${clock}${zone}`);
  if (Number.isNaN(seconds)) return null;
  return BigInt(seconds) * 1_000_000n + BigInt((found[3] ?? "").padEnd(9, "0"));
}

/** Milliseconds since the epoch of an instant or a relative time; null when the text is no time. */
export function millis(text: string, now = Date.now()): number | null {
  const relative = RELATIVE.exec(text.trim());
  if (relative) return now - (relative[1] ? Number(relative[1]) * UNITS[relative[2]!]! : 0);
  const exact = nanos(text);
  return exact === null ? null : Number(exact / 1_000_000n);
}

export const isRelative = (text: string): boolean => RELATIVE.test(text);
export const rfc3339 = (ms: number): string => new Date(ms).toISOString();

/** What a person typed into a From or To box, as the server wants it; null when it is no time. Bare times are in the page's zone. */
export function typed(text: string): string | null {
  const trimmed = text.trim();
  if (RELATIVE.test(trimmed)) return trimmed;
  const full = /^\d{4}-\d\d-\d\d$/.test(trimmed) ? `${trimmed} 00:00` : trimmed;
  const found = INSTANT.exec(full);
  if (!found) return null;
  if (found[4] || prefs().zone === "utc") {
    const ms = millis(full);
    return ms === null ? null : rfc3339(ms);
  }
  const local = Date.parse(full.replace(" ", "T"));
  return Number.isNaN(local) ? null : rfc3339(local);
}

const two = (value: number) => String(value).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function parts(ms: number): { year: number; month: number; day: number; clock: string; milli: string } {
  const utc = prefs().zone === "utc";
  const date = new Date(ms);
  const clock = utc
    ? [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
    : [date.getHours(), date.getMinutes(), date.getSeconds()];
  return {
    year: utc ? date.getUTCFullYear() : date.getFullYear(),
    month: utc ? date.getUTCMonth() : date.getMonth(),
    day: utc ? date.getUTCDate() : date.getDate(),
    clock: clock.map(two).join(":"),
    milli: String(date.getUTCMilliseconds()).padStart(3, "0"),
  };
}

/** `Nov 24 15:43:35.123`, for rows of a list. */
export function short(text: string): string {
  const ms = millis(text);
  if (ms === null) return text;
  const at = parts(ms);
  return `${MONTHS[at.month]} ${two(at.day)} ${at.clock}.${at.milli}`;
}

/** `2026-11-24 15:43:35`, for boxes and labels. */
export function long(ms: number): string {
  const at = parts(ms);
  return `${at.year}-${two(at.month + 1)}-${two(at.day)} ${at.clock}`;
}

/** All digits of an instant with its zone, for details. */
export function exact(text: string): string {
  const found = nanos(text);
  if (found === null) return text;
  const fraction = String(((found % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n).padStart(9, "0");
  return `${long(Number(found / 1_000_000n))}.${fraction.replace(/(000){1,2}$/, "")} ${zoneName()}`;
}

/** `UTC` or `UTC+02:00`. */
export function zoneName(): string {
  const offset = prefs().zone === "utc" ? 0 : -new Date().getTimezoneOffset();
  if (offset === 0) return "UTC";
  return `UTC${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
}

/** A duration of `ns` nanoseconds in three figures: `850 µs`, `1.25 s`, `2 m 05 s`. */
export function duration(ns: number): string {
  if (!Number.isFinite(ns)) return "";
  if (ns === 0) return "0 s";
  if (ns < 1e3) return `${Number(ns.toPrecision(3))} ns`;
  if (ns < 1e6) return `${Number((ns / 1e3).toPrecision(3))} µs`;
  if (ns < 1e9) return `${Number((ns / 1e6).toPrecision(3))} ms`;
  if (ns < 60e9) return `${Number((ns / 1e9).toPrecision(3))} s`;
  const seconds = Math.round(ns / 1e9);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} m`;
}

/** `last 15 minutes` for `15m`. */
export function spoken(preset: string): string {
  const names: Record<string, string> = { s: "second", m: "minute", h: "hour", d: "day", w: "week" };
  const count = preset.slice(0, -1);
  const unit = names[preset.slice(-1)] ?? "";
  return count === "1" ? `last ${unit}` : `last ${count} ${unit}s`;
}

/** How a range reads on a button. */
export function rangeLabel(from: string, to: string): string {
  const relative = RELATIVE.exec(from);
  if (relative?.[1] && to === "now") return spoken(`${relative[1]}${relative[2]}`);
  const side = (text: string) => {
    if (isRelative(text)) return text;
    const ms = millis(text);
    return ms === null ? text : long(ms).replace(/:00$/, "");
  };
  const [start, end] = [side(from), side(to)];
  return start.slice(0, 10) === end.slice(0, 10) && end.length > 10 ? `${start} to ${end.slice(11)}` : `${start} to ${end}`;
}

/** A range twice as wide around the same middle, not past now. */
export function zoomedOut(from: string, to: string, now = Date.now()): { from: string; to: string } {
  const start = millis(from, now) ?? now - 3600e3;
  const end = millis(to, now) ?? now;
  const half = Math.max((end - start) / 2, 500);
  if (to === "now") {
    const wanted = (end - start) * 2;
    const preset = PRESETS.find((item) => Number(item.slice(0, -1)) * UNITS[item.slice(-1)]! >= wanted);
    return preset ? { from: `now-${preset}`, to: "now" } : { from: rfc3339(end - wanted), to: "now" };
  }
  const right = Math.min(end + half, Math.max(now, end));
  return { from: rfc3339(right - 4 * half), to: rfc3339(right) };
}

/** The shortest usual range that reaches back to `last`, so that the first look is not an empty one. */
export function rangeOver(first: string | null, last: string | null, now = Date.now()): { from: string; to: string } {
  const newest = last === null ? null : millis(last);
  if (newest === null) return { from: "now-1h", to: "now" };
  const preset = ["1h", "6h", "24h", "7d", "30d"].find((item) => now - Number(item.slice(0, -1)) * UNITS[item.slice(-1)]! * 0.9 < newest);
  if (preset && newest <= now + 60e3) return { from: `now-${preset}`, to: "now" };
  const oldest = (first === null ? null : millis(first)) ?? newest;
  return { from: rfc3339(Math.max(oldest, newest - 30 * UNITS["d"]!)), to: rfc3339(newest + 1000) };
}
