/** One rule: what it looks for, what to do, whether its cases hold, what it would have told. */
import { EXPLORE } from "../../address/address";
import { DetailHead } from "../../parts/DetailHead";
import { Link } from "../../parts/Link";
import { Techniques } from "../../parts/Techniques";
import { shown } from "../../parts/Text";
import { useBacktest, useTest } from "../../server/rules";
import type { Replayed, Rule, Tested } from "../../server/rules";
import { usePage } from "../../shell/page";
import { exact } from "../../time/times";

const SINCE = [["24h", "a day"], ["7d", "7 days"], ["30d", "30 days"]] as const;

export function RuleDetail({ rule, told }: { rule: Rule; told: number }) {
  const { from, to } = usePage();
  const test = useTest(rule.id);
  const replay = useBacktest(rule.id);
  const failure = test.error ?? replay.error;
  return (
    <section className="detail" aria-label="Rule" data-testid="rule">
      <DetailHead kind="rule" severity={rule.severity} title={rule.title} />
      <div className="acts" role="group" aria-label="Try it">
        <button type="button" className="button" disabled={test.isPending || rule.cases.match === 0} onClick={() => test.mutate()}>{test.isPending ? "Running…" : `Run its ${rule.cases.match + rule.cases.no_match} cases`}</button>
        <span className="quiet">Replay</span>
        {SINCE.map(([since, name]) => <button key={since} type="button" className="button" disabled={replay.isPending} onClick={() => replay.mutate(since)}>{name}</button>)}
        {replay.isPending && <span className="quiet" role="status">replaying…</span>}
      </div>
      {failure && <p className="bad" role="alert">{shown(failure.message)}</p>}
      {test.data && <Cases tested={test.data} />}
      {replay.data && <Replay replayed={replay.data} />}
      {rule.description && <p className="prose-block">{shown(rule.description)}</p>}
      <dl className="pairs">
        <dt>id</dt><dd><code>{rule.id}</code>{rule.off && <span className="amber"> turned off by [rules] off</span>}</dd>
        <dt>told</dt><dd>{told > 0 ? <Link path="/security" to={{ more: { detector: "rules", of: "all", state: "all" }, from, to }}>{told.toLocaleString("en")} in this time range</Link> : "never in this time range"}</dd>
        <dt>when</dt><dd>{when(rule)}</dd>
        {rule.techniques.length > 0 && <><dt>techniques</dt><dd className="chips"><Techniques names={rule.techniques} /></dd></>}
        {rule.false_positives && <><dt>may be harmless</dt><dd>{shown(rule.false_positives)}</dd></>}
        {rule.response && <><dt>what to do</dt><dd>{shown(rule.response)}</dd></>}
        {rule.references.length > 0 && <><dt>references</dt><dd>{rule.references.map((text) => <div key={text}><bdi>{shown(text.slice(0, 300))}</bdi></div>)}</dd></>}
        {rule.author && <><dt>author</dt><dd>{shown(rule.author)}</dd></>}
      </dl>
      <h3>{rule.steps.length > 1 ? (rule.ordered ? "Steps, in this order" : "Steps, in any order") : "Condition"}</h3>
      {rule.steps.map((step, index) => (
        <article key={index} className="excerpt">
          {step.condition.map((query, number) => (
            <div key={number}>
              <header>
                <span>{shown(step.name) || (step.condition.length > 1 ? `either, ${number + 1}` : "PPL")}</span>
                <span className="spring" />
                <Link path={EXPLORE} to={{ q: query, from, to }}>Explore</Link>
              </header>
              <pre>{shown(query)}</pre>
            </div>
          ))}
        </article>
      ))}
    </section>
  );
}

/** When a rule is told, as a sentence. */
export function when(rule: Pick<Rule, "threshold" | "at_most" | "distinct" | "by" | "window" | "steps">): string {
  const group = rule.by.length > 0 ? ` of one ${rule.by.map((name) => shown(name)).join(" and ")}` : "";
  if (rule.steps.length > 1) return `all of its steps${group} within ${rule.window}`;
  const least = Math.max(rule.threshold, 1).toLocaleString("en");
  const what = rule.distinct ? `${least} different values of ${shown(rule.distinct)}` : rule.threshold > 1 ? `${least} records` : "a record";
  return `${what}${group} within ${rule.window}${rule.at_most > 0 ? `, and no more than ${rule.at_most.toLocaleString("en")}` : ""}`;
}

const counted = (count: number, of: string): string => `${count.toLocaleString("en")} ${of}${count === 1 ? "" : "s"}`;

function Cases({ tested }: { tested: Tested }) {
  if (tested.failed.length === 0) return <p className="good" role="status">All {tested.cases} cases hold.</p>;
  return (
    <ul className="bad" role="status">
      {tested.failed.map((one, index) => <li key={index}>case {one.number} of {one.kind} ({one.records} records) does not hold</li>)}
    </ul>
  );
}

function Replay({ replayed }: { replayed: Replayed }) {
  const days = Object.entries(replayed.days).sort(([a], [b]) => a.localeCompare(b));
  const most = Math.max(1, ...days.map(([, count]) => count));
  return (
    <section className="excerpt replay" aria-label="Replay" role="status">
      <header>
        <span>{replayed.told === 0 ? "would not have been told" : `told ${counted(replayed.told, "time")} for ${counted(replayed.distinct, "group")}, by ${counted(replayed.hits, "record")}`}</span>
        <span className="spring" />
        <span>{replayed.cpu_s.toFixed(2)} s of CPU</span>
      </header>
      {replayed.problem && <p className="pad amber">{shown(replayed.problem)}</p>}
      {days.length > 0 && (
        <div className="bars pad">
          <table aria-label="Told by day">
            <tbody>{days.map(([day, count]) => <tr key={day}><th scope="row">{day}</th><td><i style={{ width: `${(count / most) * 100}%` }} aria-hidden="true" /></td><td className="number">{count}</td></tr>)}</tbody>
          </table>
        </div>
      )}
      {replayed.entities.length > 0 && <p className="chips pad">{replayed.entities.slice(0, 12).map((item) => <span key={item.name} className="chip"><bdi>{shown(item.name.slice(0, 80))}</bdi> <span className="quiet">{item.told}</span></span>)}</p>}
      {replayed.evidence.map((item, index) => <pre key={index}>{item.time && `${exact(item.time)} `}{item.service && `${shown(item.service)}: `}{shown(item.text)}</pre>)}
    </section>
  );
}
