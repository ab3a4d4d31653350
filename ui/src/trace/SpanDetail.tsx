/** Everything about one span. */
import { CopyButton } from "../parts/CopyButton";
import { Text, shown } from "../parts/Text";
import { usd } from "../parts/units";
import { FieldTable } from "../records/FieldTable";
import { asText } from "../records/paths";
import type { Fields, Json } from "../server/types";
import { duration, exact, nanos } from "../time/times";
import { Messages } from "./Messages";
import { modelOf, statusOf } from "./tree";
import type { Node } from "./tree";

interface Props {
  node: Node;
  /** Dollars; undefined where no price is known. */
  cost: number | undefined;
  onFilter: (field: string, value: Json, exclude: boolean) => void;
}

const number = (value: number) => value.toLocaleString("en");

export function SpanDetail({ node, cost, onFilter }: Props) {
  const { span } = node;
  const used = modelOf(span);
  const status = typeof span.status === "object" && span.status !== null && !Array.isArray(span.status) ? asText(span.status["message"]) : "";
  const facts: [string, string][] = [
    ["service", span.service ?? "unknown"],
    ["kind", String(span.kind ?? "").replace(/^SPAN_KIND_/, "").toLowerCase()],
    ["started", `${exact(span.start)}, ${duration(node.start)} in`],
    ["duration", duration(node.duration)],
    ["status", [statusOf(span), status].filter(Boolean).join(": ")],
    ...(used ? ([["model", used.model], ["operation", used.operation], ["tokens", used.input || used.output ? `${number(used.input)} in, ${number(used.output)} out` : ""], ["cost", cost === undefined ? "" : usd(cost)]] as [string, string][]) : []),
  ];
  return (
    <div className="span-detail" data-testid="span">
      <h3>
        <span className="name">{shown(span.name)}</span>
        {node.failed && <span className="tag bad">error</span>}
        <CopyButton label="Copy span id" text={() => span.span_id} />
      </h3>
      <dl className="facts">
        {facts.filter(([, value]) => value).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{shown(value)}</dd>
          </div>
        ))}
      </dl>
      <Messages attributes={span.attributes} />
      {span.events.length > 0 && <Events events={span.events} start={span.start} />}
      <h4>Attributes</h4>
      <FieldTable record={span.attributes} prefix="attributes." onFilter={onFilter} />
    </div>
  );
}

const isObject = (value: Json): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);

/** Events of a span: exceptions with their stack traces first of all. */
function Events({ events, start }: { events: readonly Json[]; start: string }) {
  const zero = nanos(start) ?? 0n;
  return (
    <section className="events" aria-label="Events">
      <h4>Events</h4>
      {events.filter(isObject).map((event, index) => {
        const at = typeof event["time"] === "string" ? nanos(event["time"]) : null;
        const attributes = isObject(event["attributes"] ?? null) ? (event["attributes"] as Fields) : {};
        return (
          <article key={index} className={event["name"] === "exception" ? "bad" : ""}>
            <h5>
              {asText(event["name"])}
              {at !== null && <span className="quiet"> +{duration(Math.max(0, Number(at - zero)))}</span>}
            </h5>
            {Object.entries(attributes).map(([name, value]) => (
              <div key={name} className="event-field">
                <span className="quiet">{name}</span>
                <pre><Text text={asText(value)} limit={1500} /></pre>
              </div>
            ))}
          </article>
        );
      })}
    </section>
  );
}
