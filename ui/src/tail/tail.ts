/** Records as they arrive, by server-sent events. */
import { useEffect, useRef, useState } from "react";
import type { Line } from "../records/RecordTable";
import { parseJson } from "../server/json";
import type { Json, Row } from "../server/types";

/** Lines that the page keeps; older ones can be searched. */
const KEEP = 2000;
const PAINT_MS = 250;

export interface Tail {
  lines: readonly Line[];
  received: number;
  dropped: number;
  /** Arrived while paused and not shown yet. */
  waiting: number;
  state: "connecting" | "open" | "lost";
  paused: boolean;
  pause: (on: boolean) => void;
}

interface Counts {
  received: number;
  dropped: number;
}

/** Follow `query` while `on`. */
export function useTail(query: string, on: boolean): Tail {
  const [lines, setLines] = useState<readonly Line[]>([]);
  const [counts, setCounts] = useState<Counts>({ received: 0, dropped: 0 });
  const [state, setState] = useState<Tail["state"]>("connecting");
  const [paused, setPaused] = useState(false);
  const [waiting, setWaiting] = useState(0);
  const fresh = useRef<Line[]>([]);
  const held = useRef(false);
  held.current = paused;

  useEffect(() => {
    if (!on) return undefined;
    const seen: Counts = { received: 0, dropped: 0 };
    let gap = 0;
    fresh.current = [];
    setLines([]);
    setCounts(seen);
    setPaused(false);
    setState("connecting");
    const source = new EventSource(`/api/tail?query=${encodeURIComponent(query)}`);
    source.onopen = () => setState("open");
    source.onerror = () => setState("lost"); // The browser connects again by itself.
    source.addEventListener("records", (event) => {
      const rows = parseJson((event as MessageEvent<string>).data) as Json as unknown as Row[];
      seen.received += rows.length;
      for (const row of rows) {
        fresh.current.push(gap ? { row, gap } : { row });
        gap = 0;
      }
      if (fresh.current.length > KEEP) fresh.current = fresh.current.slice(-KEEP);
    });
    source.addEventListener("gap", (event) => {
      const { dropped } = JSON.parse((event as MessageEvent<string>).data) as { dropped: number };
      seen.dropped += dropped;
      gap += dropped;
    });
    const paint = setInterval(() => {
      setCounts((before) => (before.received === seen.received && before.dropped === seen.dropped ? before : { ...seen }));
      setWaiting(fresh.current.length);
      if (held.current || fresh.current.length === 0) return;
      const arrived = fresh.current.reverse();
      fresh.current = [];
      setWaiting(0);
      setLines((before) => [...arrived, ...before].slice(0, KEEP));
    }, PAINT_MS);
    return () => {
      clearInterval(paint);
      source.close();
    };
  }, [query, on]);

  return { lines, ...counts, waiting: paused ? waiting : 0, state, paused, pause: setPaused };
}
