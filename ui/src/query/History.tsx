/** Queries that the reader keeps, and those run earlier; both in this browser. */
import { keep, usePrefs } from "../address/prefs";
import { IconButton } from "../parts/Button";

interface Props {
  /** The query that is shown. */
  text: string;
  onRun: (text: string) => void;
}

export function History({ text, onRun }: Props) {
  const { history, kept } = usePrefs();
  const now = text.trim();
  const list = (items: readonly string[]) => (
    <ul>
      {items.map((item) => (
        <li key={item}>
          <button type="button" onClick={() => onRun(item)}>{item.slice(0, 300)}</button>
          <IconButton icon={kept.includes(item) ? "close" : "plus"} label={`${kept.includes(item) ? "Do not keep" : "Keep"}: ${item.slice(0, 60)}`} onClick={() => keep(item, !kept.includes(item))} />
        </li>
      ))}
    </ul>
  );
  return (
    <div className="history">
      <h2>Kept queries</h2>
      {list(kept)}
      {kept.length === 0 && <p className="quiet">Those you keep stand here, in this browser.</p>}
      {now !== "" && !kept.includes(now) && <p><button type="button" className="text-button" onClick={() => keep(now, true)}>Keep the query that is shown</button></p>}
      <h2>Earlier queries</h2>
      {history.length === 0 && <p className="quiet">Queries you run are listed here.</p>}
      {list(history.filter((item) => !kept.includes(item)))}
    </div>
  );
}
