/** The page's state, all of it in the URL, so that a link shows another person the same thing. */
import { useSyncExternalStore } from "react";

export type Tab = "fields" | "json" | "context";
export type View = "auto" | "table" | "bars" | "lines";

export interface Address {
  q: string;
  stream: string;
  from: string;
  to: string;
  order: "desc" | "asc";
  cols: readonly string[] | null;
  open: string | null;
  tab: Tab;
  trace: string | null;
  span: string | null;
  view: View;
  live: boolean;
}

export const DEFAULTS: Address = {
  q: "",
  stream: "logs",
  from: "",
  to: "now",
  order: "desc",
  cols: null,
  open: null,
  tab: "fields",
  trace: null,
  span: null,
  view: "auto",
  live: false,
};

const oneOf = <T extends string>(value: string | null, allowed: readonly T[], otherwise: T): T =>
  allowed.find((item) => item === value) ?? otherwise;

/** Read the state out of a URL's query string; unknown or broken parts fall back to the defaults. */
export function decode(search: string): Address {
  const get = new URLSearchParams(search);
  const cols = get.get("cols");
  return {
    q: get.get("q") ?? "",
    stream: get.get("stream") || DEFAULTS.stream,
    from: get.get("from") ?? DEFAULTS.from,
    to: get.get("to") || DEFAULTS.to,
    order: oneOf(get.get("order"), ["desc", "asc"], "desc"),
    cols: cols === null ? null : cols.split(",").filter(Boolean).map(decodeURIComponent),
    open: get.get("open"),
    tab: oneOf(get.get("tab"), ["fields", "json", "context"], "fields"),
    trace: get.get("trace"),
    span: get.get("span"),
    view: oneOf(get.get("view"), ["auto", "table", "bars", "lines"], "auto"),
    live: get.get("live") === "1",
  };
}

/** Write the state as a query string; what equals the default is left out. */
export function encode(address: Address): string {
  const put = new URLSearchParams();
  for (const name of ["q", "stream", "from", "to", "order", "open", "tab", "trace", "span", "view"] as const) {
    const value = address[name];
    if (value !== null && value !== DEFAULTS[name]) put.set(name, value);
  }
  if (address.cols) put.set("cols", address.cols.map((name) => name.replace(/[%,]/g, encodeURIComponent)).join(","));
  if (address.live) put.set("live", "1");
  const text = put.toString();
  return text ? `?${text}` : "";
}

let current = decode(window.location.search);
const listeners = new Set<() => void>();
const tell = () => listeners.forEach((listener) => listener());

window.addEventListener("popstate", () => {
  current = decode(window.location.search);
  tell();
});

/** Change part of the state. `replace` keeps the browser's Back button where it was. */
export function go(change: Partial<Address>, replace = false): void {
  const next = { ...current, ...change };
  const url = window.location.pathname + encode(next);
  if (url === window.location.pathname + window.location.search) return;
  current = next;
  if (replace) window.history.replaceState(null, "", url);
  else window.history.pushState(null, "", url);
  tell();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** The state now; the component renders again when it changes. */
export const useAddress = (): Address => useSyncExternalStore(subscribe, () => current);
