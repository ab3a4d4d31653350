/** What was said to a model and what it answered. Everything here is text from a log: it is shown, never interpreted. */
import { Text, shown } from "../parts/Text";
import type { Fields, Json } from "../server/types";

interface Message {
  role: string;
  parts: { kind: string; text: string }[];
}

const isObject = (value: Json | undefined): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);

function parsed(value: Json | undefined): Json | undefined {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value) as Json;
  } catch {
    return value;
  }
}

function part(value: Json): { kind: string; text: string } {
  if (!isObject(value)) return { kind: "text", text: typeof value === "string" ? value : JSON.stringify(value) };
  const kind = String(value["type"] ?? "text");
  const plain = value["content"] ?? value["text"];
  if (typeof plain === "string") return { kind, text: plain };
  if (kind === "tool_call") return { kind, text: `${String(value["name"] ?? "")}(${JSON.stringify(value["arguments"] ?? {})})` };
  if (kind === "tool_call_response") return { kind, text: typeof value["response"] === "string" ? value["response"] : JSON.stringify(value["response"] ?? value["result"] ?? "") };
  return { kind, text: JSON.stringify(value, null, 1) };
}

function message(value: Json, role: string): Message {
  if (!isObject(value)) return { role, parts: [part(value)] };
  const parts = value["parts"] ?? value["content"] ?? [];
  return { role: String(value["role"] ?? role), parts: (Array.isArray(parts) ? parts : [parts]).map(part) };
}

function many(value: Json | undefined, role: string): Message[] {
  const found = parsed(value);
  if (found === undefined || found === null) return [];
  if (role === "system" && Array.isArray(found)) return [{ role, parts: found.map(part) }];
  return (Array.isArray(found) ? found : [found]).map((item) => message(item, role));
}

/** The messages in a span's attributes, in the order they were said. */
export function messagesOf(attributes: Fields): Message[] {
  return [
    ...many(attributes["gen_ai.system_instructions"], "system"),
    ...many(attributes["gen_ai.input.messages"] ?? attributes["gen_ai.prompt"] ?? attributes["input.value"], "user"),
    ...many(attributes["gen_ai.tool.call.arguments"], "tool call"),
    ...many(attributes["gen_ai.tool.call.result"], "tool result"),
    ...many(attributes["gen_ai.output.messages"] ?? attributes["gen_ai.completion"] ?? attributes["output.value"], "assistant"),
  ];
}

const ASKED = 160;

/** The last line that a user wrote in `messages`: what stands before it is often documents; empty where nothing can be read. */
export function lastAsked(messages: Json | undefined): string {
  const found = parsed(messages);
  if (!Array.isArray(found)) return "";
  const said = found.map((item) => message(item, "user")).filter((item) => item.role === "user").at(-1);
  const lines = (said?.parts ?? []).flatMap((piece) => (piece.kind === "text" ? piece.text.split("\n") : []));
  return lines.filter((line) => line.trim()).at(-1)?.trim().slice(0, ASKED) ?? "";
}

interface Asked {
  attributes: Fields;
  /** What is shown where the sender says nothing. */
  absent?: string;
  spoken?: boolean;
  limit?: number;
  marks?: readonly string[];
}

export function Messages({ attributes, absent, spoken = false, limit = 1200, marks = [] }: Asked) {
  const messages = messagesOf(attributes);
  if (messages.length === 0) return absent ? <p className="quiet">{absent}</p> : null;
  return (
    <section className={spoken ? "messages spoken" : "messages"} aria-label="Messages">
      {messages.map((item, index) => (
        <article key={index} className={`said ${item.role.replace(/\W/g, "-")}`}>
          <h4>{shown(item.role)}</h4>
          {item.parts.map((piece, at) => (
            <div key={at} className={piece.kind === "text" ? "prose" : "code"}>
              {piece.kind !== "text" && <span className="quiet">{shown(piece.kind.replace(/_/g, " "))} </span>}
              <Text text={piece.text} limit={limit} marks={marks} />
            </div>
          ))}
        </article>
      ))}
    </section>
  );
}
