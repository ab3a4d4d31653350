/** What people said and did. */
import { useState } from "react";
import { shown } from "../../parts/Text";
import type { Case, Change } from "../../server/incidents";
import { exact } from "../../time/times";

export function Comments({ incident, apply, busy }: { incident: Case; apply: (change: Change) => void; busy: boolean }) {
  const [text, setText] = useState("");
  const send = () => {
    if (!text.trim()) return;
    apply({ comment: text.trim() });
    setText("");
  };
  return (
    <>
      <form
        className="comment"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <textarea aria-label="Comment" placeholder="What you saw, what you did. Ctrl+Enter sends." value={text} maxLength={8000} onChange={(event) => setText(event.target.value)} onKeyDown={(event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && send()} />
        <button type="submit" className="button primary" disabled={busy || !text.trim()}>Comment</button>
      </form>
      <ol className="timeline" aria-label="History">
        {[...incident.history].reverse().map((item, index) => (
          <li key={index}>
            <span className="quiet"><time dateTime={item.at}>{exact(item.at)}</time> {shown(item.by)}</span>
            <p className={item.what === "comment" ? "prose-block" : ""}>{item.what === "comment" ? shown(item.after) : `${shown(item.what)}: ${shown(item.before) || "nothing"} → ${shown(item.after) || "nothing"}`}</p>
          </li>
        ))}
      </ol>
      {incident.history.length === 0 && <p className="quiet">Nobody has said or changed anything.</p>}
    </>
  );
}
