/** A list under the keys: j and k move, Enter opens, Esc leaves. */
import { useEffect, useState } from "react";
import { useKeys } from "../address/keys";
import type { Keys } from "../address/keys";

export function useList<T>(rows: readonly T[], open: (row: T, index: number) => void, more: Keys = {}, start = -1): { at: number; setAt: (at: number) => void } {
  const [at, setAt] = useState(start);
  useEffect(() => {
    if (at >= rows.length) setAt(rows.length - 1);
  }, [at, rows.length]);
  const step = (by: 1 | -1) => () => {
    // The list has the keys now: a button that was pressed before must not take the next Enter.
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    if (rows.length > 0) setAt(Math.min(Math.max(at + by, 0), rows.length - 1));
  };
  useKeys({
    j: step(1),
    k: step(-1),
    ArrowDown: step(1),
    ArrowUp: step(-1),
    Enter: () => {
      const row = rows[at];
      if (row !== undefined) open(row, at);
    },
    ...more,
  });
  return { at, setAt };
}
