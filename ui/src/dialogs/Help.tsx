import { IconButton } from "../parts/Button";
import { SITES } from "../shell/sites";
import { Dialog } from "./Dialog";

const MOD = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘" : "Ctrl";

const KEYS: readonly [string, readonly [string, string][]][] = [
  ["Anywhere", [["/", "go to the query"], [`${MOD} K`, "command palette"], [`${MOD} Enter`, "run the query"], ["d", "time range"], ["r", "refresh"], ["?", "this help"]]],
  ["Pages", [...SITES.map((site): [string, string] => [`g ${site.key}`, site.title]), ["g l", "logs"], ["g s", "spans"], ["g m", "metrics"]]],
  ["Lists", [["j  k", "next, previous"], ["Enter", "open"], ["Esc", "close"], ["c  x  u", "finding: confirm, dismiss, new again"], ["o", "incident: acknowledge"]]],
  ["Records", [["j  k", "next, previous record"], ["Enter", "open the record"], ["x", "exclude records with this message"], ["c", "what happened around it"], ["t", "open its trace"], ["Esc", "close"]]],
  ["Query", [["Enter", "run"], ["Shift Enter", "new line"], ["Tab", "take the suggestion"], ["↑  ↓", "earlier, later queries"]]],
];

const LANGUAGE: readonly [string, string][] = [
  ["timeout", "records with this word"],
  ['"connection refused"', "this phrase"],
  ['serviceName="rag" NOT severityText="INFO"', "by field; AND, OR, NOT, brackets"],
  ["body=*CUDA*", "with wildcards"],
  ["error | where durationInNanos > 2000000000", "then narrow by an expression"],
  ["error | stats count() by serviceName", "a table of counts"],
  ["| timechart span=5m count() by severityText", "counts over time"],
];

export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog label="Help" className="help" onClose={onClose}>
      <header>
        <h2>Keys and queries</h2>
        <IconButton icon="close" label="Close" keys="Esc" onClick={onClose} />
      </header>
      <div className="help-columns">
        {KEYS.map(([title, keys]) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {keys.map(([key, what]) => (
                <div key={key}>
                  <dt>{key.split(" ").filter(Boolean).map((part) => <kbd key={part}>{part}</kbd>)}</dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <section>
        <h3>The language is PPL</h3>
        <dl className="examples">
          {LANGUAGE.map(([query, what]) => (
            <div key={query}>
              <dt><code>{query}</code></dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
      </section>
    </Dialog>
  );
}
