/** The post-mortem as it reads now: a preview of its Markdown, and the files to take along. */
import { Broken, Waiting } from "../../parts/State";
import { CopyButton } from "../../parts/CopyButton";
import { isMissing } from "../../server/findings";
import { usePostmortem } from "../../server/incidents";
import { Markdown } from "./Markdown";

export function Postmortem({ id }: { id: string }) {
  const found = usePostmortem(id, true);
  const href = (format: string) => `/api/incidents/${encodeURIComponent(id)}/postmortem?format=${format}`;
  if (found.error) return isMissing(found.error) ? <p className="quiet">No post-mortem can be written here.</p> : <Broken error={found.error} again={() => void found.refetch()} />;
  if (found.data === undefined) return <Waiting what="Writing the post-mortem" />;
  return (
    <>
      <p className="acts">
        <span className="quiet">Built from the record; every sentence names what it rests on.</span>
        <span className="spring" />
        <CopyButton wide label="Copy Markdown" text={() => found.data} />
        <a className="button" href={href("md")} download={`${id}-postmortem.md`}>Markdown</a>
        <a className="button" href={href("html")} download={`${id}-postmortem.html`}>HTML</a>
      </p>
      <Markdown text={found.data} />
    </>
  );
}
