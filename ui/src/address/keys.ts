/** The page's keys. They rest while someone types. */
import { useEffect, useRef } from "react";

export type Keys = Record<string, () => void>;

const SEQUENCE_MS = 900;
const TYPING = "input, textarea, select, [contenteditable=true], .cm-content";

/** Call `keys[name]` when that key is pressed: `j`, `Escape`, `g l`, `Mod+k`. */
export function useKeys(keys: Keys): void {
  const now = useRef(keys);
  now.current = keys;
  useEffect(() => {
    let first = "";
    let at = 0;
    const press = (event: KeyboardEvent) => {
      const modified = event.ctrlKey || event.metaKey;
      const name = modified ? `Mod+${event.key.toLowerCase()}` : event.key;
      const target = event.composedPath()[0];
      const typing = target instanceof Element && target.matches(TYPING);
      if (event.defaultPrevented || event.altKey || (typing && !modified && name !== "Escape")) return;
      if (document.querySelector("dialog[open]") && name !== "Mod+k") return;
      // A button or link that has the focus keeps Enter for itself.
      if (name === "Enter" && target instanceof Element && target.matches("button, a, summary, [role=option]")) return;
      const fresh = Date.now() - at < SEQUENCE_MS;
      // After `g` only its sequences count: a page's own `c` must not answer to `g c`.
      const act = now.current[fresh ? `${first} ${name}` : ""] ?? (fresh && first === "g" ? undefined : now.current[name]);
      first = name;
      at = Date.now();
      if (!act) return;
      event.preventDefault();
      first = "";
      act();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
}
