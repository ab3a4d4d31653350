/** What a model call is to this page, and how its questions are written. */
import { fieldName, literal } from "../../query/text";

/** One row per model call that answers in words; embeddings are calls too, but have neither answer nor first token. */
export const CALLS = "source=llm | where attributes.gen_ai.operation.name != 'embeddings'";

export const MODEL = "attributes.gen_ai.request.model";
export const USER = "attributes.user.id";
export const TTFT = "attributes.gen_ai.response.time_to_first_chunk";
export const COST = "attributes.treering.cost.usd";
export const INPUT = "attributes.gen_ai.usage.input_tokens";
export const OUTPUT = "attributes.gen_ai.usage.output_tokens";

export const FILTERS = { service: "serviceName", model: MODEL, user: USER, agent: "attributes.gen_ai.agent.name", conversation: "attributes.gen_ai.conversation.id" } as const;
export type FilterName = keyof typeof FILTERS;

/** The calls that the filters in the URL leave. */
export function selected(more: Readonly<Record<string, string>>): string {
  const steps = (Object.keys(FILTERS) as FilterName[]).flatMap((name) => (more[name] ? [` | where ${fieldName(FILTERS[name])} = ${literal(more[name])}`] : []));
  return CALLS + steps.join("") + (more["failed"] ? " | where status.code = 2" : "");
}

/** Figures of calls; fields that nobody sends are null. */
export const FIGURES = `stats count() as calls, count(eval(status.code = 2)) as failed, p50(durationInNanos) as p50_ns, p95(durationInNanos) as p95_ns, p99(durationInNanos) as p99_ns, sum(tokens_in) as input_tokens, sum(tokens_out) as output_tokens, avg(usd) as usd_mean, count(usd) as priced`;
export const FIELDS = `eval tokens_in = coalesce(${INPUT}), tokens_out = coalesce(${OUTPUT}), usd = coalesce(${COST}), ttft = coalesce(${TTFT})`;
