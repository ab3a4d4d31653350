/** What stands where an answer will be: waiting, or why there is none. */
import { useEffect, useState } from "react";
import { Failure } from "../server/client";
import { Icon } from "./Icon";
import { shown } from "./Text";

const SLOW_MS = 4000;

export function Waiting({ what }: { what: string }) {
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), SLOW_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div className="state" role="status">
      <span className="rings" aria-hidden="true" />
      <p>{what}</p>
      {slow && <p className="quiet">This takes longer than usual. A shorter time range or a filter makes it faster.</p>}
    </div>
  );
}

export function Broken({ error, again }: { error: unknown; again?: () => void }) {
  const failure = error instanceof Failure ? error : new Failure(String(error), 0);
  return (
    <div className="state" role="alert">
      <Icon name="alert" />
      <p>{shown(failure.message)}</p>
      {failure.hint && <p className="quiet">{shown(failure.hint)}</p>}
      {again && (
        <button type="button" className="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}
