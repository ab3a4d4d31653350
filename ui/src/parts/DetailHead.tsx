/** The head of a finding, an incident or a rule: how bad it is, what it is called, and its link. */
import { CopyButton } from "./CopyButton";
import { Severity } from "./Entities";
import { shown } from "./Text";

export function DetailHead({ kind, severity, title }: { kind: string; severity: string; title: string }) {
  return (
    <header>
      <Severity name={severity} />
      <h2>{shown(title)}</h2>
      <span className="spring" />
      <CopyButton icon="link" label={`Copy link to this ${kind}`} text={() => window.location.href} />
    </header>
  );
}
