/** What to do when there is nothing to see. */
import { go } from "../address/address";
import { CopyButton } from "../parts/CopyButton";
import { useThere } from "../server/status";
import type { Stream } from "../server/types";
import { rangeLabel, rangeOver, zoomedOut } from "../time/times";

const origin = () => window.location.origin;

const WAYS: readonly [string, (there: string) => string][] = [
  ["One record with curl", () => `curl -s ${origin()}/v1/logs -H 'content-type: application/json' -d '{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"hello"}}]},"scopeLogs":[{"logRecords":[{"severityText":"INFO","body":{"stringValue":"first ring"}}]}]}]}'`],
  ["Anything that speaks OpenTelemetry", () => `export OTEL_EXPORTER_OTLP_ENDPOINT=${origin()} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`],
  ["Anything that speaks OpenSearch _bulk", () => `printf '{"create":{}}\\n{"@timestamp":"%s","level":"info","message":"first ring"}\\n' "$(date -u +%FT%TZ)" | curl -s ${origin()}/logs/_bulk -H 'content-type: application/x-ndjson' --data-binary @-`],
  ["A log file", (there) => `treering ingest /var/log/app.log${there}`],
];

/** Nothing is stored at all. */
export function FirstSteps() {
  const there = useThere();
  return (
    <div className="first" data-testid="first-steps">
      <h2>No records yet: send some</h2>
      <p className="quiet">treering takes OTLP, OpenSearch _bulk and files. This page shows them as soon as they arrive.</p>
      {WAYS.map(([title, line]) => (
        <section key={title}>
          <h3>{title}</h3>
          <div className="line">
            <pre>{line(there)}</pre>
            <CopyButton label={`Copy: ${title}`} text={() => line(there)} />
          </div>
        </section>
      ))}
    </div>
  );
}

interface Props {
  stream: Stream | null;
  from: string;
  to: string;
  query: string;
  onRun: (query: string) => void;
}

/** There are records, but none for this question. */
export function NoMatch({ stream, from, to, query, onRun }: Props) {
  const wide = stream?.last ? rangeOver(stream.first, stream.last) : null;
  const elsewhere = wide && (wide.from !== from || wide.to !== to) ? wide : null;
  return (
    <div className="state" data-testid="no-match">
      <p>No records match in this time range.</p>
      <div className="acts">
        <button type="button" className="button" onClick={() => go(zoomedOut(from, to))}>Look at a wider range</button>
        {elsewhere && (
          <button type="button" className="button" onClick={() => go(elsewhere)}>
            Newest records: {rangeLabel(elsewhere.from, elsewhere.to)}
          </button>
        )}
        {query.trim() && <button type="button" className="button" onClick={() => onRun("")}>Clear the query</button>}
      </div>
      {stream && stream.rows > 0 && <p className="quiet">{stream.name} holds {stream.rows.toLocaleString("en")} records.</p>}
    </div>
  );
}
