/** Quality and drift: are the answers still good, and is the input still what it was. */
import { Card, Shown } from "../../parts/Card";
import { AnswerChart } from "../../parts/Chart";
import { PageFrame } from "../../shell/PageFrame";
import { isAbsent, pick, sampleOf, usePage, useReplies } from "../../shell/page";
import type { Replies } from "../../shell/page";
import { CALLS, FIELDS } from "../llm/calls";
import { Senders } from "../senders";
import { DriftFindings } from "./DriftFindings";

const EVALUATIONS = "source=logs | where eventName = 'gen_ai.evaluation.result'";
const RETRIEVALS = "source=spans | where attributes.gen_ai.operation.name = 'retrieval'";

export default function Quality({ dark }: { dark: boolean }) {
  return (
    <PageFrame title="Quality and drift" about="whether answers are still good, and inputs still alike" dark={dark} watched>
      <Body />
    </PageFrame>
  );
}

/** Whether every question failed because nobody sends such records. */
const isBare = (replies: Replies): boolean => Object.values(replies).length > 0 && Object.values(replies).every((reply) => ("error" in reply ? isAbsent(reply.error) : reply.datarows.length === 0));

function Body() {
  const { span, records } = usePage();
  const sample = sampleOf(span, records ?? 0);
  const by = `by span(@timestamp, ${span})`;
  const found = useReplies("quality", {
    scores: `${EVALUATIONS} | stats avg(attributes.gen_ai.evaluation.score.value) as score ${by}, attributes.gen_ai.evaluation.name`,
    labels: `${EVALUATIONS} | where isnotnull(attributes.gen_ai.evaluation.score.label) | stats count() as results ${by}, attributes.gen_ai.evaluation.score.label`,
    grounded: `source=findings | where finding.detector = 'groundedness' | stats count() as findings ${by}, finding.rule`,
    retrieval: `${RETRIEVALS}${sample ? ` | where ${sample}` : ""} | eval score = cast(json_extract(attributes.gen_ai.retrieval.documents, '[0].score') as double) | where isnotnull(score) | stats avg(score) as mean ${by}, attributes.gen_ai.data_source.id`,
    models: `${CALLS} | eval model = coalesce(attributes.gen_ai.response.model) | where isnotnull(model) | stats count() as answers ${by}, model`,
    finish: `${CALLS} | eval reason = coalesce(attributes.gen_ai.response.finish_reasons) | where isnotnull(reason) | stats count() as answers ${by}, reason`,
    lengths: `${CALLS} | ${FIELDS} | stats avg(tokens_out) as output, avg(tokens_in) as input by span(@timestamp, ${span}) as time, serviceName`,
  }, records !== null);
  const replies = found.data?.answers ?? {};
  if (isBare(replies)) return <main className="scroll"><Senders kinds={["feedback", "otel", "langchain"]} title="No evaluation, no feedback and no model call in this time range" /></main>;
  return (
    <main className={`scroll ${found.isPlaceholderData ? "stale" : ""}`}>
      <div className="grid">
        <Card title="Scores of evaluations" query={EVALUATIONS} note="mean by name">
          <Shown reply={replies["scores"]} empty="Nobody sends gen_ai.evaluation.result.">{(answer) => <AnswerChart answer={answer} kind="lines" label="Scores of evaluations" />}</Shown>
        </Card>
        <Card title="Feedback and verdicts" query={EVALUATIONS} note="by label">
          <Shown reply={replies["labels"]} empty="No feedback in this time range.">{(answer) => <AnswerChart answer={answer} kind="bars" label="Feedback" />}</Shown>
        </Card>
        <Card title="Answers without ground in their documents" query="source=findings | where finding.detector = 'groundedness'">
          <Shown reply={replies["grounded"]} empty="No answer was found without ground.">{(answer) => <AnswerChart answer={answer} kind="bars" label="Findings of groundedness" />}</Shown>
        </Card>
        <Card title="Scores of retrieval" query={RETRIEVALS} note={`first document, mean by collection${sample ? `, of half a minute in ${span}` : ""}`}>
          <Shown reply={replies["retrieval"]} empty="No retrieval says its scores.">{(answer) => <AnswerChart answer={answer} kind="lines" label="Scores of retrieval" low />}</Shown>
        </Card>
        <DriftFindings />
        <Card title="Which model answered" query={CALLS}>
          <Shown reply={replies["models"]}>{(answer) => <AnswerChart answer={answer} kind="bars" label="Answers by model" />}</Shown>
        </Card>
        <Card title="Why answers ended" query={CALLS}>
          <Shown reply={replies["finish"]}>{(answer) => <AnswerChart answer={answer} kind="bars" label="Answers by finish reason" />}</Shown>
        </Card>
        <Card title="Length of answers" query={CALLS} note="mean output tokens by service">
          <Shown reply={pick(replies["lengths"], "output", "time", "serviceName")}>{(answer) => <AnswerChart answer={answer} kind="lines" label="Output tokens" />}</Shown>
        </Card>
        <Card title="Length of prompts" query={CALLS} note="mean input tokens by service">
          <Shown reply={pick(replies["lengths"], "input", "time", "serviceName")}>{(answer) => <AnswerChart answer={answer} kind="lines" label="Input tokens" />}</Shown>
        </Card>
      </div>
    </main>
  );
}
