/** A model call as a conversation, with the documents and tools of its trace and what was found in it. */
import { useQuery } from "@tanstack/react-query";
import { EXPLORE, set } from "../../address/address";
import { IconButton } from "../../parts/Button";
import { CopyButton } from "../../parts/CopyButton";
import { Link } from "../../parts/Link";
import { Severity } from "../../parts/Entities";
import { Broken, Waiting } from "../../parts/State";
import { Text, shown } from "../../parts/Text";
import { usd } from "../../parts/units";
import { literal } from "../../query/text";
import { asText, fieldAt } from "../../records/paths";
import { call } from "../../server/client";
import { useFindings } from "../../server/findings";
import type { Finding } from "../../server/findings";
import { useTrace } from "../../server/queries";
import type { Fields, Json, Span } from "../../server/types";
import { numberOf, usePage, useReplies } from "../../shell/page";
import { duration as written, exact } from "../../time/times";
import { Messages } from "../../trace/Messages";
import { COST, INPUT, MODEL, OUTPUT, TTFT, USER } from "./calls";

interface Whole {
  ref: string;
  stream: string;
  time: string;
  record: Fields;
}

const TOOLS = 8;
const SILENT = "The sender does not send what was said. Its OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true would.";
const path = (ref: string) => ref.split("/").map(encodeURIComponent).join("/");

export function Conversation({ reference }: { reference: string }) {
  const found = useQuery({ queryKey: ["call", reference], queryFn: ({ signal }) => call<Whole>(`/api/record/${path(reference)}`, undefined, signal) });
  const close = () => set({ call: null });
  return (
    <aside className="right" aria-label="The call" data-testid="conversation">
      {found.error ? <Broken error={found.error} again={() => void found.refetch()} /> : found.data ? <Said whole={found.data} onClose={close} /> : <Waiting what="Fetching the call" />}
    </aside>
  );
}

function Said({ whole, onClose }: { whole: Whole; onClose: () => void }) {
  const { tick } = usePage();
  const { record } = whole;
  const at = (name: string): string => asText(fieldAt(record, name));
  const traceId = at("traceId");
  const attributes = flatAttributes(record);
  const findings = useFindings(`source=findings "${traceId.replace(/[^0-9a-zA-Z]/g, "")}"`, "", "", tick, traceId !== "").data ?? [];
  const here = findings.filter((finding) => finding.evidence.some((item) => item.spanId === at("spanId") || (item.traceId === traceId && !item.spanId)));
  const marks = [...new Set(here.flatMap((finding) => finding.evidence.flatMap((item) => item.spans.map(([low, high]) => item.excerpt.slice(low, high)))))].filter((mark) => mark.length > 2);
  const failed = at("status.code") === "2";
  const cost = useCost(at("spanId"), at("startTime") || whole.time, at("endTime") || whole.time);
  const facts: [string, string][] = [
    ["model", [at(MODEL), at("attributes.gen_ai.provider.name")].filter(Boolean).join(" at ")],
    ["service", at("serviceName")],
    ["user", [at(USER), at("attributes.tenant.id")].filter(Boolean).join(" of ")],
    ["started", exact(at("startTime") || whole.time)],
    ["took", written(Number(at("durationInNanos")))],
    ["first token", at(TTFT) ? `after ${written(Number(at(TTFT)) * 1e9)}` : ""],
    ["tokens", at(INPUT) || at(OUTPUT) ? `${Number(at(INPUT) || 0).toLocaleString("en")} in, ${Number(at(OUTPUT) || 0).toLocaleString("en")} out` : ""],
    ["cost", cost === undefined ? "…" : cost === null ? (at(INPUT) || at(OUTPUT) ? "unknown: no price of this model is known" : "unknown: the call does not say its tokens") : usd(cost)],
    ["ended", failed ? [at("attributes.error.type"), at("status.message")].filter(Boolean).join(": ") : at("attributes.gen_ai.response.finish_reasons").replace(/[[\]"]/g, "")],
  ];
  const conversation = at("attributes.gen_ai.conversation.id");
  return (
    <>
      <header>
        <h2>{shown(at("name") || "call")}</h2>
        <span className="spring" />
        {conversation && <button type="button" className="button" onClick={() => set({ conversation })} title="All calls of this conversation">Conversation</button>}
        {traceId && <Link className="button" path={EXPLORE} to={{ trace: traceId, span: at("spanId") || null }}>Trace</Link>}
        <Link className="button" path={EXPLORE} to={{ stream: whole.stream, open: whole.ref }}>Record</Link>
        <CopyButton icon="link" label="Copy link to this call" text={() => window.location.href} />
        <IconButton icon="close" label="Close" keys="Esc" onClick={onClose} />
      </header>
      <dl className="pairs">
        {facts.filter(([, value]) => value).map(([name, value]) => (
          <div key={name} style={{ display: "contents" }}>
            <dt>{name}</dt>
            <dd className={name === "ended" && failed ? "bad" : ""}>{shown(value)}</dd>
          </div>
        ))}
      </dl>
      {here.length > 0 && <Found findings={here} />}
      <h3>Conversation</h3>
      <Messages attributes={attributes} marks={marks} absent={SILENT} limit={2400} spoken />
      {traceId && <Context id={traceId} own={at("spanId")} marks={marks} />}
    </>
  );
}

/** What the call cost: found out by treering, so it is beside the record and not in it; null where no price is known. */
function useCost(spanId: string, start: string, end: string): number | null | undefined {
  const [from, to] = [Date.parse(start) - 1000, Date.parse(end) + 1000];
  const ranged = !Number.isNaN(from) && !Number.isNaN(to) ? { from: new Date(from).toISOString(), to: new Date(to).toISOString() } : {};
  const found = useReplies("cost of a call", { cost: { query: `source=llm | where spanId = ${literal(spanId)} | eval usd = coalesce(${COST}) | fields usd`, ...ranged } }, spanId !== "");
  if (spanId === "") return null;
  return found.data ? numberOf(found.data.answers["cost"], "usd") : undefined;
}

/** The attributes of a span by their dotted names, however they are nested. */
function flatAttributes(record: Fields): Fields {
  const names = ["gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.prompt", "gen_ai.completion", "input.value", "output.value", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result"];
  return Object.fromEntries(names.flatMap((name): [string, Json][] => {
    const value = fieldAt(record, `attributes.${name}`);
    return value === undefined ? [] : [[name, value]];
  }));
}

function Found({ findings }: { findings: readonly Finding[] }) {
  return (
    <>
      <h3>Found in it</h3>
      <ul className="rows">
        {findings.map((finding) => (
          <li key={finding.id} className="acts">
            <Severity name={finding.severity} />
            <Link path="/security" to={{ more: { finding: finding.id, state: "all", of: "all" } }}>{shown(finding.title)}</Link>
          </li>
        ))}
      </ul>
    </>
  );
}

interface Document {
  id: string;
  title: string;
  score: number | null;
  content: string;
}

/** The documents that a retrieval span names, with their scores. */
export function documentsOf(span: Span): Document[] {
  const value = span.attributes["gen_ai.retrieval.documents"] ?? span.attributes["retrieval.documents"];
  let items: Json | undefined = value;
  if (typeof value === "string") {
    try {
      items = JSON.parse(value) as Json;
    } catch {
      return [];
    }
  }
  if (!Array.isArray(items)) return [];
  return items.flatMap((item): Document[] => {
    if (typeof item !== "object" || item === null || Array.isArray(item)) return [];
    const score = item["score"] ?? item["document.score"];
    return [{ id: asText(item["id"] ?? item["document.id"]), title: asText(item["title"]), score: score === undefined || score === null ? null : Number(score), content: asText(item["content"] ?? item["document.content"] ?? item["text"]) }];
  });
}

/** What else happened in the trace: documents retrieved, tools called. */
function Context({ id, own, marks }: { id: string; own: string; marks: readonly string[] }) {
  const trace = useTrace(id);
  const spans = trace.data?.spans ?? [];
  const documents = spans.flatMap(documentsOf);
  const tools = spans.filter((span) => span.span_id !== own && (span.attributes["gen_ai.tool.call.arguments"] !== undefined || span.attributes["gen_ai.tool.name"] !== undefined));
  return (
    <>
      {documents.length > 0 && (
        <>
          <h3>Retrieved documents</h3>
          {documents.map((item, index) => (
            <details key={index} className="retrieved" open={marks.some((mark) => item.content.includes(mark))}>
              <summary>
                <span className="number">{item.score === null ? "" : item.score.toFixed(3)}</span> <bdi>{shown(item.title || item.id || `document ${index + 1}`)}</bdi> <code className="quiet">{shown(item.id)}</code>
              </summary>
              <p className="prose"><Text text={item.content} limit={1600} marks={marks} /></p>
            </details>
          ))}
        </>
      )}
      {tools.length > 0 && (
        <>
          <h3>Tools called in this trace</h3>
          {tools.slice(0, TOOLS).map((span) => (
            <details key={span.span_id} className="retrieved">
              <summary>
                <bdi>{shown(asText(span.attributes["gen_ai.tool.name"]) || span.name)}</bdi> <span className="quiet">{written(Number(span.duration_ns))}</span>
              </summary>
              <p className="code"><Text text={asText(span.attributes["gen_ai.tool.call.arguments"])} limit={800} marks={marks} /></p>
              <p className="code">→ <Text text={asText(span.attributes["gen_ai.tool.call.result"])} limit={800} marks={marks} /></p>
            </details>
          ))}
          {tools.length > TOOLS && <p className="quiet">and {tools.length - TOOLS} more, in the trace</p>}
        </>
      )}
    </>
  );
}
