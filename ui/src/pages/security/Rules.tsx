/** The rules one under the other, with how often each was told in the time range; the chosen one beside them. */
import { useState } from "react";
import { set, useAddress } from "../../address/address";
import { Severity } from "../../parts/Entities";
import { Broken, Waiting } from "../../parts/State";
import { shown } from "../../parts/Text";
import { useList } from "../../parts/useList";
import { SEVERITIES } from "../../server/findings";
import { useRules } from "../../server/rules";
import type { Rule } from "../../server/rules";
import { rowsOf, useReplies } from "../../shell/page";
import { RuleDetail } from "./RuleDetail";

const TOLD = "source=findings | where finding.detector = 'rules' | stats count() as told by finding.rule";
const words = (rule: Rule) => [rule.id, rule.title, rule.stream, rule.logsource, rule.description, ...rule.techniques].join(" ").toLowerCase();
const rank = (rule: Rule) => (SEVERITIES as readonly string[]).indexOf(rule.severity);

export function Rules() {
  const { more } = useAddress();
  const found = useRules();
  const replies = useReplies("rules told", { told: TOLD });
  const [filter, setFilter] = useState("");
  const told = new Map(rowsOf(replies.data?.answers["told"]).map((row) => [String(row["finding.rule"]), Number(row["told"])]));
  const wanted = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = (found.data ?? [])
    .filter((rule) => wanted.every((word) => words(rule).includes(word)))
    .sort((a, b) => (told.get(b.id) ?? 0) - (told.get(a.id) ?? 0) || rank(a) - rank(b) || a.id.localeCompare(b.id));
  const place = Math.max(rows.findIndex((rule) => rule.id === more["rule"]), rows.length > 0 ? 0 : -1);
  const open = (rule: Rule) => set({ rule: rule.id }, true);
  const step = (by: 1 | -1) => () => {
    const next = rows[Math.min(Math.max(place + by, 0), rows.length - 1)];
    if (next) open(next);
  };
  useList(rows, open, { j: step(1), k: step(-1), ArrowDown: step(1), ArrowUp: step(-1) }, place);
  if (found.error) return <Broken error={found.error} again={() => void found.refetch()} />;
  if (!found.data) return <Waiting what="Reading the rules" />;
  const selected = rows[place];
  return (
    <div className="split">
      <nav className="list" aria-label="Rules">
        <div className="filters pad">
          <input className="wide" type="search" aria-label="Find a rule" placeholder="word, technique, stream" value={filter} maxLength={100} onChange={(event) => setFilter(event.target.value)} />
          <span className="quiet">{rows.length} of {found.data.length}</span>
        </div>
        <ul className="rows" data-testid="rules">
          {rows.map((rule) => (
            <li key={rule.id}>
              <button type="button" className="entry" aria-current={rule === selected} ref={rule === selected ? (node) => node?.scrollIntoView({ block: "nearest" }) : undefined} onClick={() => open(rule)}>
                <span className="line-1">
                  <Severity name={rule.severity} />
                  <span className="quiet">{shown(rule.stream || rule.logsource)}{rule.off ? " · turned off" : ""}</span>
                  {told.has(rule.id) && <b className="told">{told.get(rule.id)!.toLocaleString("en")} told</b>}
                </span>
                <strong>{shown(rule.title.slice(0, 200))}</strong>
              </button>
            </li>
          ))}
        </ul>
        {rows.length === 0 && <p className="quiet pad">No rule has these words.</p>}
      </nav>
      {selected ? <RuleDetail key={selected.id} rule={selected} told={told.get(selected.id) ?? 0} /> : <div className="detail" />}
    </div>
  );
}
