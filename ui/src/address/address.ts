/** The page's state, all of it in the URL, so that a link shows another person the same thing. */
import { useSyncExternalStore } from "react";

export type Tab = "fields" | "json" | "context";
export type View = "auto" | "table" | "bars" | "lines";

export interface Address {
  path: string;
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
  /** Parameters of the page at `path` that no other page knows. */
  more: Readonly<Record<string, string>>;
}

export const EXPLORE = "/explore";

export const DEFAULTS: Address = {
  path: EXPLORE,
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
  more: {},
};

const OWN = new Set(["q", "stream", "from", "to", "order", "cols", "open", "tab", "trace", "span", "view", "live"]);

const oneOf = <T extends string>(value: string | null, allowed: readonly T[], otherwise: T): T =>
  allowed.find((item) => item === value) ?? otherwise;

/** Read the state out of a URL's query string; unknown or broken parts fall back to the defaults. */
export function decode(search: string, path = EXPLORE): Address {
  const get = new URLSearchParams(search);
  const cols = get.get("cols");
  // Links from before there were other pages than Explore.
  const old = path === "/" && ["q", "stream", "open", "trace", "cols", "live"].some((name) => get.has(name));
  return {
    path: old ? EXPLORE : path,
    more: Object.fromEntries([...get].filter(([name]) => !OWN.has(name))),
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
  for (const [name, value] of Object.entries(address.more)) if (value) put.set(name, value);
  const text = put.toString();
  return text ? `?${text}` : "";
}

const here = () => decode(window.location.search, window.location.pathname);
let current = here();
const listeners = new Set<() => void>();
const tell = () => listeners.forEach((listener) => listener());

window.addEventListener("popstate", () => {
  current = here();
  tell();
});

/** Change part of the state. `replace` keeps the browser's Back button where it was. */
export function go(change: Partial<Address>, replace = false): void {
  const next = { ...current, ...change };
  const url = next.path + encode(next);
  if (url === window.location.pathname + window.location.search) return;
  current = next;
  if (replace) window.history.replaceState(null, "", url);
  else window.history.pushState(null, "", url);
  tell();
}

/** Change parameters of the page that is shown; null and "" take one away. */
export function set(change: Readonly<Record<string, string | null>>, replace = false): void {
  const kept = Object.entries({ ...current.more, ...change }).filter((item): item is [string, string] => Boolean(item[1]));
  go({ more: Object.fromEntries(kept) }, replace);
}

export type Target = Partial<Omit<Address, "path">>;

/** Where `path` is with this state; the time range goes along unless `target` has its own. */
export function address(path: string, target: Target = {}): string {
  return path + encode(arrival(path, target));
}

/** Go to another page. */
export const visit = (path: string, target: Target = {}): void => go(arrival(path, target));

const arrival = (path: string, target: Target): Address => ({ ...DEFAULTS, from: current.from, to: current.to, ...target, path });

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** The state now; the component renders again when it changes. */
export const useAddress = (): Address => useSyncExternalStore(subscribe, () => current);
