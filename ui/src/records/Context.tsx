import { useEffect, useRef, useState } from "react";
import { go } from "../address/address";
import { Broken, Waiting } from "../parts/State";
import { useContext } from "../server/queries";
import { exact, short } from "../time/times";
import { shown } from "../parts/Text";

const STEP = 20;
const MOST = 200;

/** What the same service wrote before and after a record. */
export function Context({ reference }: { reference: string }) {
  const [lines, setLines] = useState(STEP);
  const { data, error, isPending, refetch } = useContext(reference, lines);
  const here = useRef<HTMLLIElement>(null);
  useEffect(() => {
    // Browsers may return a promise here, which an effect must not.
    here.current?.scrollIntoView({ block: "center" });
  }, [data]);
  if (isPending) return <Waiting what="Fetching what happened around it" />;
  if (error) return <Broken error={error} again={() => void refetch()} />;
  const rows = [...data].sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  const more = lines < MOST && (
    <button type="button" className="text-button pad" onClick={() => setLines(Math.min(lines * 2 + STEP, MOST))}>
      show more around it
    </button>
  );
  return (
    <>
      {more}
      <ol className="context" aria-label="Records around this one, oldest first">
        {rows.map((row) => (
          <li key={row.ref} ref={row.ref === reference ? here : null} className={`level-${row.level ?? "none"} ${row.ref === reference ? "here" : ""}`} aria-current={row.ref === reference}>
            <button type="button" onClick={() => go({ open: row.ref })}>
              <span className="stripe" />
              <time dateTime={row.time} title={exact(row.time)}>{short(row.time).slice(7)}</time>
              <span className="message">{shown((row.message ?? "").slice(0, 600))}</span>
            </button>
          </li>
        ))}
      </ol>
      {more}
    </>
  );
}
