/** The post-mortem as it reads now: a preview of its Markdown, and the files to take along. */
import { Broken, Waiting } from "../../parts/State";
import { CopyButton } from "../../parts/CopyButton";
import { shown } from "../../parts/Text";
import { isMissing } from "../../server/findings";
import { usePostmortem } from "../../server/incidents";

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

const HEADING = /^(#{1,5})\s+(.*)$/;

/** Headings, lists, code and paragraphs of Markdown as text nodes; whatever else a log smuggled in stays text. */
export function Markdown({ text }: { text: string }) {
  const blocks = text.split(/\n{2,}|\n(?=#{1,5}\s)|(?<=\n#{1,5}\s.*)\n/);
  return (
    <article className="preview" data-testid="markdown">
      {blocks.filter((block) => block.trim()).map((block, index) => {
        const heading = HEADING.exec(block.trim());
        if (heading) return heading[1]!.length < 3 ? <h3 key={index}>{shown(heading[2]!)}</h3> : <h4 key={index}>{shown(heading[2]!)}</h4>;
        if (/^\s*(?:[-*]|\d+\.)\s/.test(block)) return <ul key={index}>{block.split(/\n(?=\s*(?:[-*]|\d+\.)\s)/).map((line, at) => <li key={at}>{shown(line.replace(/^\s*(?:[-*]|\d+\.)\s+/, ""))}</li>)}</ul>;
        if (/^\s*(\||```)/.test(block)) return <pre key={index}>{shown(block)}</pre>;
        return <p key={index}>{shown(block)}</p>;
      })}
    </article>
  );
}
