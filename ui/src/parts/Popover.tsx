import { useEffect, useRef, useState } from "react";
import type { ReactNode } from "react";

interface Props {
  /** What the button says to people who cannot see it. */
  label: string;
  className?: string;
  button: ReactNode;
  align?: "left" | "right";
  children: (close: () => void) => ReactNode;
  /** Name that opens this popover from elsewhere: see `openPopover`. */
  name?: string;
}

const OPEN = "treering-popover";

/** Open the popover called `name`. */
export const openPopover = (name: string): boolean => window.dispatchEvent(new CustomEvent(OPEN, { detail: name }));

/** A button with a panel below it; Esc and a click outside close the panel. */
export function Popover({ label, className, button, align = "left", children, name }: Props) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const close = () => {
    setOpen(false);
    opener.current?.focus();
  };
  useEffect(() => {
    const asked = (event: Event) => (event as CustomEvent<string>).detail === name && setOpen(true);
    if (name) window.addEventListener(OPEN, asked);
    return () => window.removeEventListener(OPEN, asked);
  }, [name]);
  useEffect(() => {
    if (!open) return undefined;
    const outside = (event: PointerEvent) => !box.current?.contains(event.target as Node) && setOpen(false);
    const escape = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      setOpen(false);
      opener.current?.focus();
    };
    window.addEventListener("pointerdown", outside);
    window.addEventListener("keydown", escape, true);
    box.current?.querySelector<HTMLElement>("[data-autofocus]")?.focus();
    return () => {
      window.removeEventListener("pointerdown", outside);
      window.removeEventListener("keydown", escape, true);
    };
  }, [open]);
  return (
    <div className="popover" ref={box}>
      <button
        type="button"
        ref={opener}
        className={className ?? "button"}
        aria-label={label}
        aria-haspopup="dialog"
        aria-expanded={open}
        title={label}
        onClick={() => setOpen(!open)}
      >
        {button}
      </button>
      {open && (
        <div className={`popover-panel ${align}`} role="dialog" aria-label={label}>
          {children(close)}
        </div>
      )}
    </div>
  );
}
