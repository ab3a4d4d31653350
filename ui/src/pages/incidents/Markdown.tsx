/** Our own Markdown as text nodes: headings, lists, tables, quotes, code, paragraphs. Whatever else a log smuggled in stays text. */
import type { ReactNode } from "react";
import { shown } from "../../parts/Text";

const HEADING = /^(#{1,5})\s+(.*)$/;
const QUOTED = /^\s*>\s?/;
const ITEM = /^\s*(?:[-*]|\d+\.)\s+/;
const ESCAPED = /\\([\\`*_{}[\]()#+\-.!|<>~])/g;

const plain = (text: string): string => shown(text.replace(ESCAPED, "$1"));

/** Text with its code spans. */
function inline(text: string): ReactNode[] {
  return text.split(/(`[^`\n]+`)/).map((part, index) => (part.length > 2 && part.startsWith("`") && part.endsWith("`") ? <code key={index}>{shown(part.slice(1, -1))}</code> : plain(part.replace(/\*\*([^*\n]+)\*\*/g, "$1"))));
}

const cells = (line: string): string[] => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim());

function Rows({ lines }: { lines: readonly string[] }) {
  const [head, rule, ...rows] = lines.map(cells);
  const ruled = rule?.every((cell) => /^:?-+:?$/.test(cell)) ?? false;
  const body = ruled ? rows : [head ?? [], ...(rule ? [rule] : []), ...rows];
  const titled = ruled && head?.some((cell) => cell !== "");
  return (
    <div className="tabled">
      <table>
        {titled && <thead><tr>{head!.map((cell, index) => <th key={index} scope="col">{inline(cell)}</th>)}</tr></thead>}
        <tbody>{body.map((row, index) => <tr key={index}>{row.map((cell, at) => <td key={at}>{inline(cell)}</td>)}</tr>)}</tbody>
      </table>
    </div>
  );
}

type Kind = "heading" | "table" | "list" | "quote" | "code" | "text";

/** Lines gathered into blocks of one kind. */
export function blocks(text: string): { kind: Kind; lines: string[] }[] {
  const found: { kind: Kind; lines: string[] }[] = [];
  let fenced = false;
  for (const line of text.split("\n")) {
    if (/^\s*(```|~~~)/.test(line)) {
      fenced = !fenced;
      if (fenced) found.push({ kind: "code", lines: [] });
      continue;
    }
    const last = found.at(-1);
    if (fenced) last?.lines.push(line);
    else if (!line.trim()) found.push({ kind: "text", lines: [] });
    else if (HEADING.test(line)) found.push({ kind: "heading", lines: [line] });
    else {
      const kind: Kind = /^\s*\|/.test(line) ? "table" : ITEM.test(line) ? "list" : QUOTED.test(line) ? "quote" : last?.kind === "list" && last.lines.length > 0 && /^\s/.test(line) ? "list" : "text";
      if (last?.kind === kind && last.lines.length > 0) last.lines.push(line);
      else found.push({ kind, lines: [line] });
    }
  }
  return found.filter((block) => block.lines.length > 0);
}

export function Markdown({ text }: { text: string }) {
  return (
    <article className="preview" data-testid="markdown">
      {blocks(text).map(({ kind, lines }, index) => {
        const heading = HEADING.exec(lines[0]!);
        if (kind === "heading" && heading) return heading[1]!.length < 3 ? <h3 key={index}>{inline(heading[2]!)}</h3> : <h4 key={index}>{inline(heading[2]!)}</h4>;
        if (kind === "table") return <Rows key={index} lines={lines} />;
        if (kind === "code") return <pre key={index}>{shown(lines.join("\n"))}</pre>;
        if (kind === "list") return <ul key={index}>{lines.map((line, at) => <li key={at}>{inline(line.replace(ITEM, ""))}</li>)}</ul>;
        if (kind === "quote") return <blockquote key={index}>{inline(lines.map((line) => line.replace(QUOTED, "").replace(/^_(.*)_$/, "$1")).join("\n"))}</blockquote>;
        return <p key={index}>{inline(lines.join("\n"))}</p>;
      })}
    </article>
  );
}
