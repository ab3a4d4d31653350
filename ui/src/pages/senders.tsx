/** What to paste to make each kind of sender send: shown where its records would be. */
import { CopyButton } from "../parts/CopyButton";
import { useThere } from "../server/status";

const origin = () => window.location.origin;

const SENDERS = {
  otel: ["An application with OpenTelemetry's GenAI instrumentation", () => `export OTEL_EXPORTER_OTLP_ENDPOINT=${origin()} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\nexport OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true\nopentelemetry-instrument python app.py`],
  langchain: ["LangChain and LangGraph", () => `pip install 'treering[langchain]'\n\nfrom treering.langchain import TreeringCallback\n\ncallback = TreeringCallback("${origin()}", service="rag-api")\nagent.invoke(question, {"callbacks": [callback], "metadata": {"user_id": "u-17"}})`],
  weaviate: ["Weaviate: its log with the lines of authorization, in treering.toml", () => `[[follow]]\npaths = ["/var/log/weaviate/*.log"]\nservice = "weaviate"`],
  feedback: ["A user's feedback, as an evaluation", () => `curl -s ${origin()}/v1/logs -H 'content-type: application/json' -d '{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"chat"}}]},"scopeLogs":[{"logRecords":[{"eventName":"gen_ai.evaluation.result","attributes":[{"key":"gen_ai.evaluation.name","value":{"stringValue":"user_feedback"}},{"key":"gen_ai.evaluation.score.value","value":{"doubleValue":1}},{"key":"gen_ai.evaluation.score.label","value":{"stringValue":"thumbs_up"}}]}]}]}]}'`],
  trainer: ["A training run: what it prints", (there: string) => `torchrun train.py 2>&1 | tee train.log\ntreering ingest --follow train.log${there}`],
  file: ["A log file", (there: string) => `treering ingest /var/log/app.log${there}`],
  scan: ["Look for findings in what is stored", (there: string) => `treering scan --since 30d${there}`],
  bulk: ["Anything that speaks OpenSearch _bulk", () => `printf '{"create":{}}\\n{"@timestamp":"%s","level":"info","message":"first ring"}\\n' "$(date -u +%FT%TZ)" | curl -s ${origin()}/logs/_bulk -H 'content-type: application/x-ndjson' --data-binary @-`],
} as const satisfies Record<string, readonly [string, (there: string) => string]>;

export type Sender = keyof typeof SENDERS;

export function Senders({ kinds, title = "Nothing here yet: send some" }: { kinds: readonly Sender[]; title?: string }) {
  const there = useThere();
  return (
    <section className="first senders" data-testid="senders" aria-label={title}>
      <h2>{title}</h2>
      {kinds.map((kind) => {
        const [name, written] = SENDERS[kind];
        const line = () => written(there);
        return (
          <section key={kind}>
            <h3>{name}</h3>
            <div className="line">
              <pre>{line()}</pre>
              <CopyButton label={`Copy: ${name}`} text={line} />
            </div>
          </section>
        );
      })}
    </section>
  );
}
