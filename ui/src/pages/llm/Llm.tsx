/** LLM: what model calls do, cost and say. */
import { set, useAddress } from "../../address/address";
import { Card, Shown } from "../../parts/Card";
import { AnswerChart } from "../../parts/Chart";
import { Stat } from "../../parts/Stat";
import { shown as visible } from "../../parts/Text";
import { PageFrame } from "../../shell/PageFrame";
import { before, numberOf, pick, rowsOf, usePage, useReplies } from "../../shell/page";
import type { Reply } from "../../shell/page";
import { Senders } from "../senders";
import { Breakdown } from "./Breakdown";
import { CallList } from "./CallList";
import { Conversation } from "./Conversation";
import { CALLS, FIELDS, FIGURES, FILTERS, MODEL, selected } from "./calls";
import type { FilterName } from "./calls";

export default function Llm({ dark }: { dark: boolean }) {
  return (
    <PageFrame title="LLM" about="calls of models: how fast, how dear, how often wrong" dark={dark}>
      <Body />
    </PageFrame>
  );
}

const LABELS: readonly [FilterName, string][] = [["service", "Service"], ["model", "Model"]];

function Body() {
  const { more } = useAddress();
  const { from, to, span, compare } = usePage();
  const calls = selected(more);
  const shown = useReplies("llm", {
    now: `${calls} | ${FIELDS} | ${FIGURES}, p95(ttft) as ttft_s`,
    ...(compare ? { then: { query: `${calls} | ${FIELDS} | ${FIGURES}, p95(ttft) as ttft_s`, ...before(from, to) } } : {}),
    series: `${calls} | ${FIELDS} | stats p50(durationInNanos) as p50, p95(durationInNanos) as p95, p99(durationInNanos) as p99, p50(ttft) as first_p50, p95(ttft) as first_p95, sum(tokens_in) as input, sum(tokens_out) as output by span(@timestamp, ${span}) as time`,
    models: `${calls} | ${FIELDS} | stats count() as calls, avg(usd) as mean, count(usd) as priced by span(@timestamp, ${span}) as time, attributes.gen_ai.request.model | eval cost = mean * priced`,
    errors: `${calls} | where status.code = 2 | eval type = coalesce(attributes.error.type, 'unknown') | stats count() as errors by span(@timestamp, ${span}), type`,
    choices: `${CALLS} | stats count() as n by serviceName, ${MODEL}`,
  });
  const replies = shown.data?.answers ?? {};
  // Fields of calls are declared before anybody sends one: no service with a call means no calls.
  const nobody = replies["choices"] && rowsOf(replies["choices"]).length === 0;
  if (nobody && !more["call"]) return <main className="scroll"><Senders kinds={["otel", "langchain"]} title="No model calls in this time range: send some" /></main>;
  return (
    <div className="split">
      <main className={`left ${shown.isPlaceholderData ? "stale" : ""}`}>
        <div className="filters" role="group" aria-label="Filters">
          {LABELS.map(([name, label]) => <Choice key={name} name={name} label={label} reply={replies["choices"]} />)}
          <User />
          <label className="choice">
            <input type="checkbox" checked={Boolean(more["failed"])} onChange={(event) => set({ failed: event.target.checked ? "1" : null })} />
            failed only
          </label>
          {(["agent", "conversation"] as const).filter((name) => more[name]).map((name) => (
            <button key={name} type="button" className="chip" onClick={() => set({ [name]: null })} title="Take this filter away">{name}: {visible(more[name]!.slice(0, 60))} ✕</button>
          ))}
        </div>
        {more["call"] ? (
          <CallList calls={calls} beside />
        ) : (
          <>
            <Figures now={replies["now"]} then={replies["then"]} />
            <div className="grid">
              <Card title="Latency" query={calls}><Shown reply={pick(replies["series"], "p50", "p95", "p99", "time")}>{(answer) => <AnswerChart answer={answer} kind="lines" unit="ns" label="Latency" />}</Shown></Card>
              <Card title="Calls by model" query={calls}><Shown reply={pick(replies["models"], "calls", "time", MODEL)}>{(answer) => <AnswerChart answer={answer} kind="bars" label="Calls" />}</Shown></Card>
              <Card title="Time to first token" query={calls}>
                <Shown reply={pick(replies["series"], "first_p50=p50", "first_p95=p95", "time")} empty="No call says when its first token came. Streaming calls do.">{(answer) => <AnswerChart answer={answer} kind="lines" unit="s" label="Time to first token" />}</Shown>
              </Card>
              <Card title="Errors" query={`${calls} | where status.code = 2`}><Shown reply={replies["errors"]} empty="No call failed.">{(answer) => <AnswerChart answer={answer} kind="bars" label="Errors" />}</Shown></Card>
              <Card title="Tokens" query={calls}><Shown reply={pick(replies["series"], "input", "output", "time")}>{(answer) => <AnswerChart answer={answer} kind="bars" label="Tokens" />}</Shown></Card>
              <Card title="Cost by model" query={calls}>
                <Shown reply={pick(replies["models"], "cost", "time", MODEL)} empty="No call carries a cost: its model has no known price.">{(answer) => <AnswerChart answer={answer} kind="bars" unit="usd" label="Cost" />}</Shown>
              </Card>
              <Breakdown calls={calls} />
              <CallList calls={calls} />
            </div>
          </>
        )}
      </main>
      {more["call"] && <Conversation key={more["call"]} reference={more["call"]} />}
    </div>
  );
}

function Choice({ name, label, reply }: { name: FilterName; label: string; reply: Reply | undefined }) {
  const { more } = useAddress();
  const value = more[name] ?? "";
  const values = rowsOf(reply).map((row) => row[FILTERS[name]]).filter((item): item is string => typeof item === "string" && item !== "");
  return (
    <label className="choice">
      {label}
      <select aria-label={label} className={value ? "on" : ""} value={value} onChange={(event) => set({ [name]: event.target.value, call: null })}>
        <option value="">all</option>
        {[...new Set([value, ...values])].filter(Boolean).map((item) => <option key={item} value={item}>{visible(item.slice(0, 80))}</option>)}
      </select>
    </label>
  );
}

/** Users are too many for a list: their name is typed, or chosen among those who use most. */
function User() {
  const { more } = useAddress();
  const value = more["user"] ?? "";
  return (
    <label className="choice">
      User
      <input key={value} className={value ? "on" : ""} defaultValue={value} placeholder="all" size={14} onKeyDown={(event) => event.key === "Enter" && set({ user: event.currentTarget.value.trim() || null, call: null })} />
    </label>
  );
}

/** Dollars of a set of calls; null when none has a price. */
export const costOf = (reply: Reply | undefined): number | null => {
  const [mean, priced] = [numberOf(reply, "usd_mean"), numberOf(reply, "priced")];
  return mean === null || !priced ? null : mean * priced;
};

function Figures({ now, then }: { now: Reply | undefined; then: Reply | undefined }) {
  const at = (name: string) => (now === undefined ? undefined : numberOf(now, name));
  const was = (name: string) => ((numberOf(then, "calls") ?? 0) > 0 ? numberOf(then, name) : null);
  const share = (reply: Reply | undefined) => {
    const calls = numberOf(reply, "calls");
    return calls ? (numberOf(reply, "failed") ?? 0) / calls : null;
  };
  return (
    <dl className="stats" aria-label="Figures of the calls">
      <Stat label="Calls" value={at("calls")} then={was("calls")} />
      <Stat label="Failed" value={now === undefined ? undefined : share(now)} unit="ratio" then={share(then)} worse none="none" />
      <Stat label="Latency p50" value={at("p50_ns")} unit="ns" then={was("p50_ns")} worse none="none" />
      <Stat label="p95" value={at("p95_ns")} unit="ns" then={was("p95_ns")} worse none="none" />
      <Stat label="First token p95" value={at("ttft_s")} unit="s" then={was("ttft_s")} worse />
      <Stat label="Tokens in" value={at("input_tokens")} then={was("input_tokens")} worse />
      <Stat label="Tokens out" value={at("output_tokens")} then={was("output_tokens")} worse />
      <Stat label="Cost" value={now === undefined ? undefined : costOf(now)} unit="usd" then={costOf(then)} worse />
    </dl>
  );
}
