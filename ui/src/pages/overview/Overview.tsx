/** Overview: what needs me now. */
import { Card, Shown } from "../../parts/Card";
import { AnswerChart } from "../../parts/Chart";
import { useStreams, isEmpty } from "../../server/queries";
import { PageFrame } from "../../shell/PageFrame";
import { usePage, useReplies } from "../../shell/page";
import { Senders } from "../senders";
import { Findings } from "./Findings";
import { Intake } from "./Intake";
import { Open } from "./Open";
import { Services } from "./Services";

export default function Overview({ dark }: { dark: boolean }) {
  return (
    <PageFrame title="Overview" about="what needs you now" dark={dark} compare watched>
      <Body />
    </PageFrame>
  );
}

function Body() {
  const { tick, span } = usePage();
  const streams = useStreams(tick);
  const shown = useReplies("overview", {
    errors: `source=logs | where severityNumber >= 17 | stats count() as errors by span(@timestamp, ${span}), serviceName`,
    spans: `source=spans | where status.code = 2 | stats count() as errors by span(@timestamp, ${span}), serviceName`,
  });
  if (isEmpty(streams.data)) return <main className="scroll"><Senders kinds={["otel", "langchain", "bulk", "file"]} title="No records yet: send some" /></main>;
  const replies = shown.data?.answers ?? {};
  return (
    <main className="scroll">
      <div className="grid">
        <Open />
        <Findings />
        <Services />
        <Card title="Errors in logs by service" query="source=logs | where severityNumber >= 17">
          <Shown reply={replies["errors"]} empty="No error is logged in this time range.">{(answer) => <AnswerChart answer={answer} kind="bars" label="Errors in logs" />}</Shown>
        </Card>
        <Card title="Failed spans by service" query="source=spans | where status.code = 2">
          <Shown reply={replies["spans"]} empty="No span failed in this time range.">{(answer) => <AnswerChart answer={answer} kind="bars" label="Failed spans" />}</Shown>
        </Card>
        <Intake />
      </div>
    </main>
  );
}
