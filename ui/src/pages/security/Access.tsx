/** Who reads which collection of the vector database: principals down, collections across. */
import { EXPLORE } from "../../address/address";
import { Card, Shown } from "../../parts/Card";
import { AnswerChart } from "../../parts/Chart";
import { Link } from "../../parts/Link";
import { shown } from "../../parts/Text";
import { literal } from "../../query/text";
import { rowsOf, usePage, useReplies } from "../../shell/page";
import type { Reply } from "../../shell/page";
import { Senders } from "../senders";

// What the audit lines of Weaviate, Qdrant and Pinecone say, in one form (docs/receivers.md).
const WHO = "attributes.user.id";
const WHERE = "attributes.db.collection.name";
const AUDIT = "source=logs | where attributes.treering.access.kind = 'data'";
const REFUSED = "source=logs | where attributes.treering.access.result = 'denied'";

export function Access() {
  const { span } = usePage();
  const found = useReplies("access", {
    matrix: `${AUDIT} | eval collection = ${WHERE} | where isnotnull(collection) | stats count() as reads, count(eval(attributes.treering.access.result = 'denied')) as refused by ${WHO}, collection`,
    refused: `${REFUSED} | where isnull(${WHERE}) | stats count() as refused by ${WHO}`,
    time: `${REFUSED} | stats count() as refused by span(@timestamp, ${span}), ${WHO}`,
    users: `source=spans | where attributes.gen_ai.operation.name = 'retrieval' | eval collection = coalesce(attributes.gen_ai.data_source.id), tenant = coalesce(attributes.tenant.id) | where isnotnull(collection) and isnotnull(tenant) | stats count() as reads by tenant, collection`,
  });
  const replies = found.data?.answers ?? {};
  const nothing = replies["matrix"] && rowsOf(replies["matrix"]).length === 0 && rowsOf(replies["users"]).length === 0;
  if (nothing) return <main className="scroll"><Senders kinds={["weaviate", "otel"]} title="No line of an audit log and no retrieval in this time range" /></main>;
  return (
    <main className="scroll">
      <div className="grid">
        <Card title="Reads by principal and collection" width={4} query={AUDIT} note="from the vector database's audit lines; a red frame: some were refused">
          <Shown reply={replies["matrix"]}>
            {(answer) => (
              <Matrix
                reply={answer}
                row={WHO}
                refusals={new Map(rowsOf(replies["refused"]).map((item) => [String(item[WHO]), Number(item["refused"])]))}
                query={(who, collection) => `${AUDIT} and ${WHO} = ${literal(who)} and ${WHERE} = ${literal(collection)}`}
              />
            )}
          </Shown>
        </Card>
        <Card title="Retrievals by tenant and collection" query="source=spans | where attributes.gen_ai.operation.name = 'retrieval'">
          <Shown reply={replies["users"]} empty="No retrieval names a tenant.">
            {(answer) => <Matrix reply={answer} row="tenant" query={(who, collection) => `source=spans | where attributes.tenant.id = ${literal(who)} and attributes.gen_ai.data_source.id = ${literal(collection)}`} />}
          </Shown>
        </Card>
        <Card title="Refusals over time" query={REFUSED}>
          <Shown reply={replies["time"]} empty="Nothing was refused.">{(answer) => <AnswerChart answer={answer} kind="bars" label="Refusals" />}</Shown>
        </Card>
      </div>
    </main>
  );
}

interface MatrixProps {
  reply: Reply;
  row: string;
  /** Refusals that name no collection, by principal. */
  refusals?: ReadonlyMap<string, number>;
  query: (who: string, collection: string) => string;
}

function Matrix({ reply, row, refusals, query }: MatrixProps) {
  const { from, to } = usePage();
  const cells = new Map(rowsOf(reply).map((item) => [`${String(item[row])}\0${String(item["collection"])}`, item]));
  const sum = (name: string) => {
    const totals = new Map<string, number>();
    for (const item of cells.values()) totals.set(String(item[name]), (totals.get(String(item[name])) ?? 0) + Number(item["reads"]));
    return [...totals].sort((a, b) => b[1] - a[1]).map(([key]) => key);
  };
  const people = [...new Set([...sum(row), ...(refusals?.keys() ?? [])])].slice(0, 40);
  const collections = sum("collection").slice(0, 20);
  const most = Math.max(1, ...[...cells.values()].map((item) => Number(item["reads"])));
  const shade = (reads: number) => ({ background: `color-mix(in srgb, var(--hue-0) ${Math.round(6 + 30 * (Math.log1p(reads) / Math.log1p(most)))}%, transparent)` });
  return (
    <div className="matrix">
      <table aria-label={`${row} by collection`}>
        <thead>
          <tr><td />{collections.map((name) => <th key={name} scope="col"><bdi>{shown(name.slice(0, 40))}</bdi></th>)}{refusals && <th scope="col">refused, collection not said</th>}</tr>
        </thead>
        <tbody>
          {people.map((who) => (
            <tr key={who}>
              <th scope="row"><bdi>{shown(who.slice(0, 40))}</bdi></th>
              {collections.map((name) => {
                const item = cells.get(`${who}\0${name}`);
                const refused = Number(item?.["refused"] ?? 0);
                return (
                  <td key={name} className={refused ? "refused" : ""} style={item ? shade(Number(item["reads"])) : {}} title={refused ? `${refused} of ${String(item?.["reads"])} refused` : ""}>
                    {item && <Link path={EXPLORE} to={{ q: query(who, name), from, to }}>{Number(item["reads"]).toLocaleString("en")}</Link>}
                  </td>
                );
              })}
              {refusals && (
                <td className={refusals.get(who) ? "refused" : ""}>
                  {refusals.get(who) ? <Link path={EXPLORE} to={{ q: `${REFUSED} and ${WHO} = ${literal(who)} and isnull(${WHERE})`, from, to }}>{refusals.get(who)!.toLocaleString("en")}</Link> : ""}
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
