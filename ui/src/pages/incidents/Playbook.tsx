/** What to do: the steps of the playbook that fits, their queries answered for this incident. */
import { useEffect, useState } from "react";
import { EXPLORE } from "../../address/address";
import { Link } from "../../parts/Link";
import { Broken, Waiting } from "../../parts/State";
import { AnswerTable } from "../../parts/Table";
import { shown } from "../../parts/Text";
import { isMissing } from "../../server/findings";
import type { Case } from "../../server/incidents";
import { useRun, useStep } from "../../server/playbooks";
import type { Step } from "../../server/playbooks";

export function Playbook({ incident }: { incident: Case }) {
  const run = useRun(incident.id);
  useEffect(() => run.mutate({}), [incident.id]);
  if (run.error) return isMissing(run.error) ? <p className="quiet">No playbook fits this kind of incident.</p> : <Broken error={run.error} again={() => run.mutate({})} />;
  if (!run.data) return <Waiting what="Answering the playbook's questions" />;
  const states = new Map(incident.steps.filter((step) => step.playbook === run.data.playbook).map((step) => [step.step, step.state]));
  return (
    <>
      <p className="acts">
        <b>{shown(run.data.title)}</b>
        <span className="quiet">its queries only read; nothing is changed by running it</span>
        <span className="spring" />
        <button type="button" className="button" disabled={run.isPending} onClick={() => run.mutate({})}>Run again</button>
      </p>
      <ol className="steps" data-testid="playbook">
        {run.data.steps.map((step) => <One key={step.id} incident={incident} playbook={run.data.playbook} step={step} state={states.get(step.id) ?? step.state} />)}
      </ol>
    </>
  );
}

function One({ incident, playbook, step, state }: { incident: Case; playbook: string; step: Step; state: string }) {
  const mark = useStep(incident.id);
  const [failure, setFailure] = useState("");
  const become = (wanted: "done" | "skipped" | "open") => () => mark.mutate({ playbook, step: step.id, state: wanted }, { onError: (error) => setFailure(error.message), onSuccess: () => setFailure("") });
  const done = state === "done" || state === "skipped";
  return (
    <li className={done ? "over" : ""} aria-label={step.title}>
      <header className="acts">
        <h3>{shown(step.title)}</h3>
        {done && <span className="chip">{state}</span>}
        <span className="spring" />
        {done ? (
          <button type="button" className="button quiet-button" disabled={mark.isPending} onClick={become("open")}>Open again</button>
        ) : (
          <>
            <button type="button" className="button" disabled={mark.isPending} onClick={become("done")}>Done</button>
            <button type="button" className="button quiet-button" disabled={mark.isPending} onClick={become("skipped")}>Skip</button>
          </>
        )}
      </header>
      {failure && <p className="bad" role="alert">{shown(failure)}</p>}
      <p className="prose-block">{shown(step.text)}</p>
      {step.checks.length > 0 && <ul className="checks">{step.checks.map((check, index) => <li key={index}>{shown(check)}</li>)}</ul>}
      {step.answers.map((answer, index) => (
        <section key={index} className="excerpt" aria-label={`Answer ${index + 1}`}>
          <header>
            <code title={shown(answer.query)}>{brief(answer.query.replace(/\s+/g, " "))}</code>
            <span className="spring" />
            <Link path={EXPLORE} to={{ q: answer.query, from: incident.start, to: later(incident.end) }}>Explore</Link>
          </header>
          {answer.datarows.length > 0 ? <AnswerTable answer={{ ...answer, total: answer.datarows.length, size: answer.datarows.length }} label={step.title} /> : <p className="quiet pad">{shown(answer.note) || "no rows"}</p>}
        </section>
      ))}
    </li>
  );
}

const QUERY = 400;
const brief = (query: string): string => shown(query.length > QUERY ? `${query.slice(0, QUERY)} …` : query);

const later = (time: string): string => {
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? time : new Date(ms + 1000).toISOString();
};
