import type { AnchorHTMLAttributes, MouseEvent } from "react";
import { address, visit } from "../address/address";
import type { Target } from "../address/address";

interface Props extends Omit<AnchorHTMLAttributes<HTMLAnchorElement>, "target" | "href"> {
  path: string;
  to?: Target;
}

/** A link to one of our pages: a plain click stays in this window without loading it anew. */
export function Link({ path, to = {}, ...rest }: Props) {
  const click = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation();
    visit(path, to);
  };
  return <a href={address(path, to)} onClick={click} {...rest} />;
}
