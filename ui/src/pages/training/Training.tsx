/** A training run: its curves against the step, where it broke, which rank first, what the machine said. */
import { EXPLORE, set, useAddress } from "../../address/address";
import { Card, Shown } from "../../parts/Card";
import { AnswerChart } from "../../parts/Chart";
import { Link } from "../../parts/Link";
import { Table } from "../../parts/Table";
import { shown } from "../../parts/Text";
import { literal } from "../../query/text";
import { PageFrame } from "../../shell/PageFrame";
import { answerOf, rowsOf, usePage, useReplies } from "../../shell/page";
import { exact } from "../../time/times";
import { Senders } from "../senders";
import { Curves } from "./Curves";
import { pointsOf } from "./points";

const FIELDS = "eval step = coalesce(attributes.training.step), epoch = coalesce(attributes.training.epoch), loss = coalesce(attributes.training.loss, attributes.training.lm_loss), grad = coalesce(attributes.training.grad_norm), rate = coalesce(attributes.training.learning_rate), speed = coalesce(attributes.training.samples_per_second), evaluated = coalesce(attributes.training.eval_loss), file = coalesce(attributes.log.file.name, '')";
const TRAINED = "where isnotnull(loss) or isnotnull(grad) or isnotnull(step) or isnotnull(epoch)";
const RANKS = "eval rank = coalesce(attributes.training.rank, attributes.training.local_rank)";
const MACHINE = `source=logs (body="NVRM: Xid" OR body="CUDA error" OR body="out of memory" OR body="oom-kill" OR body="NCCL WARN" OR body="NCCL error" OR body="ECC")`;

export default function Training({ dark }: { dark: boolean }) {
  return (
    <PageFrame title="Training run" about="loss, gradients, ranks, the machine below" dark={dark}>
      <Body />
    </PageFrame>
  );
}

function Body() {
  const { more } = useAddress();
  const { span } = usePage();
  const runs = useReplies("runs", { runs: `source=logs | ${FIELDS} | ${TRAINED} | stats count() as points, max(@timestamp) as last by serviceName, file | sort - last | head 50` });
  const known = rowsOf(runs.data?.answers["runs"]);
  const names = known.map((row) => `${String(row["serviceName"] ?? "no service")}/${String(row["file"])}`);
  const run = more["run"] && names.includes(more["run"]) ? more["run"] : (names[0] ?? "");
  const chosen = known[Math.max(0, names.indexOf(run))];
  const [service, file] = [chosen?.["serviceName"] ?? null, String(chosen?.["file"] ?? "")];
  const ours = `source=logs | where ${service === null ? "isnull(serviceName)" : `serviceName = ${literal(service)}`}`;
  const found = useReplies(
    "training",
    {
      points: { query: `${ours} | ${FIELDS} | where file = ${literal(file)} | ${TRAINED} | fields @timestamp, step, epoch, loss, grad, rate, speed, evaluated, body | sort - @timestamp`, limit: 5000 },
      ranks: `${ours} | ${RANKS} | where isnotnull(rank) | stats count() as records, count(eval(severityNumber >= 17)) as errors, min(@timestamp) as first by rank | sort rank`,
      failure: { query: `${ours} | where severityNumber >= 17 | ${RANKS}, kind = coalesce(attributes.exception.type) | fields @timestamp, rank, kind, body | sort @timestamp`, limit: 20 },
      machine: { query: `${MACHINE} | fields @timestamp, serviceName, resource.attributes.host.name, body | sort @timestamp`, limit: 200 },
      gpu: `source=metrics | where name = 'hw.gpu.utilization' | stats avg(value) as used by span(@timestamp, ${span}), attributes.hw.id`,
    },
    run !== "",
  );
  if (runs.data && names.length === 0) return <main className="scroll"><Senders kinds={["trainer", "otel"]} title="No training run in this time range" /></main>;
  const replies = found.data?.answers ?? {};
  const failures = rowsOf(replies["failure"]);
  const points = pointsOf(rowsOf(replies["points"]));
  const first = failures[0];
  return (
    <main className="scroll">
      {names.length > 0 && (
        <div className="filters">
          <label className="choice">Run
            <select value={run} onChange={(event) => set({ run: event.target.value })}>
              {names.map((name) => <option key={name} value={name}>{shown(name.slice(0, 80))}</option>)}
            </select>
          </label>
        </div>
      )}
      {first && (
        <section className="card verdict" aria-label="First failure" data-testid="first-failure">
          <h2>First failure{first["rank"] !== null && `: rank ${shown(String(first["rank"]))}`}</h2>
          <p><time className="quiet">{exact(String(first["@timestamp"]).replace(" ", "T") + "Z")}</time> {first["kind"] !== null && !String(first["body"]).startsWith(String(first["kind"])) && <b>{shown(String(first["kind"]))} </b>}{shown(String(first["body"] ?? "").slice(0, 400))}</p>
          {points.broken[0] && <p>The loss is not a number from {points.unit} {points.broken[0].x.toLocaleString("en", { maximumSignificantDigits: 6 })} on. {points.lastGood && `The last number was ${Number(points.lastGood.loss!.toPrecision(4))} at ${points.unit} ${points.lastGood.x.toLocaleString("en", { maximumSignificantDigits: 6 })}.`}</p>}
          <p><Link path={EXPLORE} to={{ q: `${ours} | where severityNumber >= 17` }}>its errors</Link></p>
        </section>
      )}
      <div className="grid">
        <Curves points={points} ready={answerOf(replies["points"]) !== null} query={ours} />
        <Card title="Ranks" query={ours}>
          <Shown reply={replies["ranks"]} empty="No record names its rank.">
            {(answer) => (
              <Table
                label="Ranks"
                rows={rowsOf(answer)}
                columns={[
                  { title: "rank", cell: (row) => <>{first && String(first["rank"]) === String(row["rank"]) && <span className="tag bad">failed first</span>} {shown(String(row["rank"]).slice(0, 60))}</> },
                  { title: "first seen", cell: (row) => shown(String(row["first"]).slice(0, 19)) },
                  { title: "records", number: true, cell: (row) => String(row["records"]) },
                  { title: "errors", number: true, cell: (row) => <span className={Number(row["errors"]) ? "bad" : ""}>{String(row["errors"])}</span> },
                ]}
              />
            )}
          </Shown>
        </Card>
        <Card title="GPUs in use" query="source=metrics | where name = 'hw.gpu.utilization'">
          <Shown reply={replies["gpu"]} empty="No hw.gpu.utilization is measured.">{(answer) => <AnswerChart answer={answer} kind="lines" unit="ratio" label="GPU utilization" />}</Shown>
        </Card>
        <Card title="GPU errors, memory, NCCL" width={4} query={MACHINE}>
          <Shown reply={replies["machine"]} empty="The machines report none in this time range.">
            {(answer) => (
              <Table
                label="Errors of the machine"
                rows={rowsOf(answer)}
                columns={[
                  { title: "time", cell: (row) => shown(String(row["@timestamp"]).slice(0, 19)) },
                  { title: "host", cell: (row) => shown(String(row["resource.attributes.host.name"] ?? "")) },
                  { title: "from", cell: (row) => shown(String(row["serviceName"] ?? "")) },
                  { title: "says", cell: (row) => <span title={shown(String(row["body"]).slice(0, 1000))}>{shown(String(row["body"]).slice(0, 240))}</span> },
                ]}
              />
            )}
          </Shown>
        </Card>
      </div>
    </main>
  );
}
