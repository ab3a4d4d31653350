/** Whom a finding or an incident concerns: each leads to its records. */
import { useState } from "react";
import { EXPLORE } from "../address/address";
import { fieldName, literal } from "../query/text";
import { Link } from "./Link";
import { shown } from "./Text";

// Where an entity of this kind is named in records; other kinds are searched as words.
const FIELDS: Readonly<Record<string, readonly [string, string]>> = {
  user: ["spans", "attributes.user.id"],
  session: ["spans", "attributes.session.id"],
  service: ["logs", "serviceName"],
  model: ["spans", "attributes.gen_ai.request.model"],
  agent: ["spans", "attributes.gen_ai.agent.name"],
  tool: ["spans", "attributes.gen_ai.tool.name"],
  tenant: ["spans", "attributes.tenant.id"],
  conversation: ["spans", "attributes.gen_ai.conversation.id"],
};

/** The query that shows the records of an entity. */
export function entityQuery(kind: string, value: string): { stream: string; q: string } {
  const field = FIELDS[kind];
  if (field) return { stream: field[0], q: `source=${field[0]} | where ${fieldName(field[1])} = ${literal(value)}` };
  return { stream: "logs", q: `source=logs ${literal(value)}` };
}

const FEW = 12;
// Whom people ask for first; traces and sessions are many and say little.
const LAST = new Set(["trace", "session", "template"]);

export function Entities({ entities, from, to }: { entities: readonly (readonly [string, string])[]; from?: string; to?: string }) {
  const [all, setAll] = useState(false);
  const sorted = [...entities.filter(([kind]) => !LAST.has(kind)), ...entities.filter(([kind]) => LAST.has(kind))];
  return (
    <div className="chips">
      {sorted.slice(0, all ? undefined : FEW).map(([kind, value]) => {
        const range = from && to ? { from, to } : {};
        const target = kind === "trace" ? { trace: value, ...range } : { ...entityQuery(kind, value), ...range };
        return (
          <Link key={`${kind} ${value}`} path={EXPLORE} to={target} className="chip" title={`records of ${kind} ${shown(value.slice(0, 200))}`}>
            <span className="quiet">{shown(kind)}</span> <bdi>{shown(value.slice(0, 60))}</bdi>
          </Link>
        );
      })}
      {entities.length > FEW && !all && <button type="button" className="text-button" onClick={() => setAll(true)}>and {entities.length - FEW} more</button>}
    </div>
  );
}

export const Severity = ({ name }: { name: string }) => <span className={`severity ${name.replace(/\W/g, "")}`}>{shown(name.slice(0, 20)) || "unknown"}</span>;
