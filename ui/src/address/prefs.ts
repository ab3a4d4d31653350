/** What belongs to the reader and not to a link: theme, density, history. Kept in this browser only. */
import { useSyncExternalStore } from "react";

export interface Prefs {
  theme: "system" | "light" | "dark";
  zone: "local" | "utc";
  wrap: boolean;
  dense: boolean;
  fields: boolean;
  chart: boolean;
  drawer: number;
  history: readonly string[];
  /** Queries that the reader keeps. */
  kept: readonly string[];
}

const NAME = "treering.prefs";
const HISTORY = 50;
const START: Prefs = {
  theme: "system",
  zone: "local",
  wrap: false,
  dense: true,
  fields: true,
  chart: true,
  drawer: 560,
  history: [],
  kept: [],
};

const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((item) => typeof item === "string") : []);

function load(): Prefs {
  try {
    const saved = JSON.parse(localStorage.getItem(NAME) ?? "{}") as Partial<Prefs>;
    return { ...START, ...saved, history: texts(saved.history), kept: texts(saved.kept) };
  } catch {
    return START;
  }
}

let current = load();
const listeners = new Set<() => void>();

/** Change some preferences and remember them. */
export function prefer(change: Partial<Prefs>): void {
  current = { ...current, ...change };
  try {
    localStorage.setItem(NAME, JSON.stringify(current));
  } catch {
    // Storage may be forbidden or full: the choice holds until the page closes.
  }
  if (current.theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = current.theme;
  listeners.forEach((listener) => listener());
}

/** Put `query` at the head of the history. */
export function remember(query: string): void {
  const text = query.trim();
  if (!text || current.history[0] === text) return;
  prefer({ history: [text, ...current.history.filter((item) => item !== text)].slice(0, HISTORY) });
}

/** Keep a query for good, or no longer. */
export function keep(query: string, wanted: boolean): void {
  const others = current.kept.filter((item) => item !== query);
  prefer({ kept: wanted ? [query, ...others].slice(0, HISTORY) : others });
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const prefs = (): Prefs => current;
export const usePrefs = (): Prefs => useSyncExternalStore(subscribe, prefs);
