import { useState } from "react";
import { Icon } from "./Icon";
import type { IconName } from "./Icon";

/** Put `text` on the clipboard; browsers without a clipboard (plain HTTP off loopback) get a selection to copy from. */
async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const box = document.createElement("textarea");
    box.value = text;
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
}

interface Props {
  label: string;
  text: () => string;
  icon?: IconName;
  wide?: boolean;
}

export function CopyButton({ label, text, icon = "copy", wide = false }: Props) {
  const [done, setDone] = useState(false);
  const click = () =>
    void copy(text()).then(() => {
      setDone(true);
      setTimeout(() => setDone(false), 1500);
    });
  const said = done ? "Copied" : label;
  return (
    <button type="button" className={wide ? "button" : "icon-button"} aria-label={said} title={said} onClick={click}>
      <Icon name={done ? "check" : icon} />
      {wide && <span aria-live="polite">{said}</span>}
    </button>
  );
}
