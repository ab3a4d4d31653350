import type { ButtonHTMLAttributes } from "react";
import { Icon } from "./Icon";
import type { IconName } from "./Icon";

interface Props extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "title"> {
  /** Read to people who cannot see the icon, and shown as its tip. */
  label: string;
  icon: IconName;
  /** Shortcut, added to the tip. */
  keys?: string;
  pressed?: boolean;
}

/** A button that is only an icon. */
export function IconButton({ label, icon, keys, pressed, className, ...rest }: Props) {
  return (
    <button
      type="button"
      className={`icon-button ${className ?? ""}`}
      aria-label={label}
      title={keys ? `${label} (${keys})` : label}
      {...(pressed === undefined ? {} : { "aria-pressed": pressed })}
      {...rest}
    >
      <Icon name={icon} />
    </button>
  );
}
