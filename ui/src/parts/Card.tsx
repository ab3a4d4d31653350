/** A box of a page: its title, the way to its records, and its answer in all the states that one has. */
import type { ReactNode } from "react";
import { EXPLORE } from "../address/address";
import { answerOf, isAbsent, usePage } from "../shell/page";
import type { Reply } from "../shell/page";
import type { Answer } from "../server/types";
import { Link } from "./Link";
import { shown } from "./Text";

interface Props {
  title: string;
  /** The query whose records Explore shows. */
  query?: string | undefined;
  note?: ReactNode;
  width?: 1 | 2 | 3 | 4;
  tools?: ReactNode;
  className?: string;
  children: ReactNode;
}

export function Card({ title, query, note, width = 2, tools, className = "", children }: Props) {
  const { from, to } = usePage();
  return (
    <section className={`card wide-${width} ${className}`} aria-label={shown(title)}>
      <header>
        <h2>{shown(title)}</h2>
        {note && <span className="quiet note">{typeof note === "string" ? shown(note) : note}</span>}
        <span className="spring" />
        {tools}
        {query && (
          <Link path={EXPLORE} to={{ q: query, from, to }} className="to-records" aria-label={`${shown(title)}: open in Explore`} title="Open the query in Explore">
            Explore
          </Link>
        )}
      </header>
      {children}
    </section>
  );
}

/** What one reply shows: rows, nothing, or why it has none. */
export function Shown({ reply, empty, children }: { reply: Reply | undefined; empty?: ReactNode; children: (answer: Answer) => ReactNode }) {
  if (reply === undefined) return <p className="quiet hollow" role="status">counting…</p>;
  const answer = answerOf(reply);
  if (answer && answer.datarows.length > 0) return <>{children(answer)}</>;
  if ("error" in reply && !isAbsent(reply.error)) return <p className="hollow bad" role="alert">{shown(reply.error.message)}</p>;
  return <div className="quiet hollow">{empty ?? "Nothing in this time range."}</div>;
}
