/** Fields of a record by their dotted names, whatever mixture of nesting and dots holds them. */
import type { Fields, Json } from "../server/types";

const isObject = (value: Json | undefined): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);

/** The value under the dotted `path`, or undefined. */
export function fieldAt(record: Fields, path: string): Json | undefined {
  if (Object.hasOwn(record, path)) return record[path];
  for (let dot = path.indexOf("."); dot > 0; dot = path.indexOf(".", dot + 1)) {
    const head = path.slice(0, dot);
    const inner = Object.hasOwn(record, head) ? record[head] : undefined;
    if (!isObject(inner)) continue;
    const found = fieldAt(inner, path.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Every leaf of a record with its dotted name; lists and empty objects are leaves. */
export function flatten(record: Fields, prefix = ""): [string, Json][] {
  return Object.entries(record).flatMap(([name, value]): [string, Json][] =>
    isObject(value) && Object.keys(value).length > 0 ? flatten(value, `${prefix}${name}.`) : [[prefix + name, value]],
  );
}

/** A value as a line of text. */
export const asText = (value: Json | undefined): string =>
  value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);

const TRACE_NAMES = ["traceId", "trace_id", "trace.id", "attributes.trace_id", "attributes.traceId", "otelTraceID"];
const TRACE_ID = /^(?!0+$)[0-9a-fA-F-]{16,36}$/;

/** The trace a record belongs to, or null. */
export function traceOf(record: Fields): string | null {
  for (const name of TRACE_NAMES) {
    const value = fieldAt(record, name);
    if (typeof value === "string" && TRACE_ID.test(value)) return value;
  }
  return null;
}

/** The usual first columns of a stream. */
export function defaultColumns(stream: string): readonly string[] {
  if (stream === "spans") return ["serviceName", "durationInNanos", "status.code", "message"];
  if (stream === "metrics") return ["serviceName", "message", "value"];
  return ["serviceName", "message"];
}
