/** Everything about one finding. */
import type { ReactNode } from "react";
import { EXPLORE } from "../../address/address";
import { DetailHead } from "../../parts/DetailHead";
import { Entities } from "../../parts/Entities";
import { Excerpts } from "../../parts/Excerpts";
import { Link } from "../../parts/Link";
import { Techniques, useNames } from "../../parts/Techniques";
import { shown } from "../../parts/Text";
import { asText } from "../../records/paths";
import type { Finding, FindingState } from "../../server/findings";
import type { Fields, Json } from "../../server/types";
import { duration, exact } from "../../time/times";
import { instant, useIncidentOf } from "../../server/findings";
import { useRules } from "../../server/rules";
import { Distributions, isDistribution } from "../quality/Distributions";
import { Hops } from "./Hops";

interface Props {
  finding: Finding;
  failure?: Error | null;
  onState?: (state: FindingState) => void;
}

const ACTS: readonly [FindingState, string, string][] = [["confirmed", "Confirm", "c"], ["dismissed", "Dismiss", "x"], ["new", "New again", "u"]];

export function Detail({ finding, failure, onState }: Props) {
  return (
    <section className="detail" aria-label="Finding" data-testid="finding">
      <DetailHead kind="finding" severity={finding.severity} title={finding.title} />
      {onState && (
        <div className="acts" role="group" aria-label="Judge">
          <span className="chip" data-testid="finding-state">{finding.state}</span>
          {ACTS.filter(([state]) => state !== finding.state).map(([state, label, key]) => (
            <button key={state} type="button" className="button" onClick={() => onState(state)}>{label} <kbd>{key}</kbd></button>
          ))}
        </div>
      )}
      {failure && <p className="bad" role="alert">{failure.message}</p>}
      <PartOf id={finding.id} />
      <h3>Whom it concerns</h3>
      <Entities entities={finding.entities} from={wider(finding.start, -1)} to={wider(finding.end, 1)} />
      <Hops finding={finding} />
      <h3>Facts</h3>
      <dl className="pairs">
        <Pair name="detector">{shown(finding.detector)}, {finding.detector === "rules" ? <Link path="/security" to={{ more: { show: "rules", rule: finding.rule } }}>rule {shown(finding.rule)}</Link> : `rule ${shown(finding.rule)}`}</Pair>
        {finding.detector === "rules" && <Advice rule={finding.rule} />}
        <Pair name="first, last">{exact(finding.start)} to {exact(finding.end)}</Pair>
        <Pair name="noticed">{exact(finding.time)}</Pair>
        {finding.count > 1 && <Pair name="seen">{finding.count.toLocaleString("en")} times</Pair>}
        {finding.score !== null && <Pair name="score">{Number(finding.score.toPrecision(3))}</Pair>}
        {finding.tactic && <Pair name="tactic"><Tactic id={finding.tactic} /></Pair>}
        {finding.techniques.length > 0 && <Pair name="techniques"><span className="chips"><Techniques names={finding.techniques} /></span></Pair>}
        {Object.entries(finding.facts).filter(([, value]) => !isDistribution(value) && !isHollow(value)).map(([name, value]) => <Pair key={name} name={shown(name.replace(/_ns$/, "").replace(/_/g, " "))}>{name.endsWith("_ns") ? <Nanos value={value} /> : <Fact value={value} />}</Pair>)}
        {finding.comment && <Pair name="comment">{shown(finding.comment)}</Pair>}
      </dl>
      <Distributions facts={finding.facts} />
      <h3>Evidence</h3>
      <Excerpts evidence={finding.evidence} />
      <p className="quiet"><Link path={EXPLORE} to={{ stream: "findings", q: `source=findings | where finding.id = "${finding.id.replace(/\W/g, "")}"`, from: wider(finding.time, -1), to: wider(finding.time, 1) }}>The finding as a record</Link></p>
    </section>
  );
}

/** The incident that a finding belongs to. */
function PartOf({ id }: { id: string }) {
  const incident = useIncidentOf(id).data;
  if (!incident) return null;
  return <p data-testid="part-of">Part of the incident <Link path="/incidents" to={{ more: { incident: incident.id, state: "all" } }}>{shown(incident.title.slice(0, 200))}</Link> <span className="chip">{shown(incident.state)}</span></p>;
}

function Tactic({ id }: { id: string }) {
  const name = useNames()[id];
  return <>{name && `${name} `}<span className={name ? "quiet" : ""}>{shown(id)}</span></>;
}

/** What the author of a rule says to whoever reads its finding. */
function Advice({ rule }: { rule: string }) {
  const found = useRules().data?.find((item) => item.id === rule);
  if (!found) return null;
  return (
    <>
      {found.response && <Pair name="what to do">{shown(found.response)}</Pair>}
      {found.false_positives && <Pair name="may be harmless">{shown(found.false_positives)}</Pair>}
    </>
  );
}

/** Whether a fact says nothing. */
const isHollow = (value: Json): boolean => value === null || value === "" || (typeof value === "object" && Object.keys(value).length === 0);

const wider = (time: string, direction: 1 | -1): string => {
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? time : new Date(ms + direction * 60_000).toISOString();
};

const Pair = ({ name, children }: { name: string; children: ReactNode }) => (
  <div style={{ display: "contents" }}>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);

/** Nanoseconds: an instant where they are enough to count since 1970, else a duration. */
function Nanos({ value }: { value: Json }): ReactNode {
  const at = /^[12]\d{18}$/.test(asText(value)) ? instant(value) : null;
  return at ? exact(at) : Number.isFinite(Number(value)) ? duration(Number(value)) : <Fact value={value} />;
}

function Fact({ value }: { value: Json }): ReactNode {
  if (typeof value === "number" && value !== 0 && Math.abs(value) < 1e-4) return value.toExponential(2);
  if (typeof value === "number") return Number(value.toPrecision(6)).toLocaleString("en", { maximumSignificantDigits: 6 });
  if (Array.isArray(value) && value.every((item) => typeof item !== "object")) return shown(value.slice(0, 40).map((item) => asText(item)).join(", "));
  if (typeof value === "object" && value !== null) return <code>{shown(JSON.stringify(value as Fields).slice(0, 600))}</code>;
  return shown(asText(value).slice(0, 600));
}
