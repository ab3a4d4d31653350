import { useEffect, useRef } from "react";
import type { ReactNode } from "react";

/** A modal dialog: the browser keeps the focus in it and closes it on Esc. */
export function Dialog({ label, className, onClose, children }: { label: string; className: string; onClose: () => void; children: ReactNode }) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = box.current;
    if (dialog && !dialog.open) dialog.showModal();
  }, []);
  return (
    <dialog ref={box} className={className} aria-label={label} onClose={onClose} onClick={(event) => event.target === box.current && onClose()}>
      {children}
    </dialog>
  );
}
