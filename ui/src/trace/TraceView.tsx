/** A trace: its tree and waterfall, the selected span, and the logs that belong to it. */
import { useEffect, useMemo, useState } from "react";
import { go } from "../address/address";
import { IconButton } from "../parts/Button";
import { CopyButton } from "../parts/CopyButton";
import { Broken, Waiting } from "../parts/State";
import { fieldAt } from "../records/paths";
import { useTrace, useTraceCosts } from "../server/queries";
import type { Json, Row } from "../server/types";
import { duration, exact, millis, short } from "../time/times";
import { SpanDetail } from "./SpanDetail";
import { Waterfall } from "./Waterfall";
import type { Tree } from "./tree";
import { buildTree, isInnermost, visible } from "./tree";
import { shown } from "../parts/Text";
import { usd } from "../parts/units";

interface Props {
  id: string;
  span: string | null;
  onFilter: (field: string, value: Json, exclude: boolean) => void;
  onClose: () => void;
}

/** Spans of machines whose clocks differ start before the first one, at times. */
const DAY = 86400e3;

const fits = (count: number, name: string) => `${count.toLocaleString("en")} ${name}${count === 1 ? "" : "s"}`;

export function TraceView({ id, span, onFilter, onClose }: Props) {
  const { data, error, isPending, refetch } = useTrace(id);
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const [side, setSide] = useState<"span" | "logs">("span");
  const tree = useMemo(() => buildTree(data?.spans ?? []), [data]);
  const costs = useTraceCosts(id, ...around(tree)).data;
  const cost = tree.nodes.filter(isInnermost).reduce((sum, node) => sum + (costs?.get(node.span.span_id) ?? 0), 0);
  const nodes = useMemo(() => visible(tree, closed), [tree, closed]);
  const selected = tree.nodes.find((node) => node.span.span_id === span) ?? tree.nodes.find((node) => node.failed) ?? tree.nodes[0];
  useEffect(() => {
    document.querySelector<HTMLElement>(".waterfall")?.focus({ preventScroll: true });
  }, [data]);
  const select = (next: string) => {
    go({ span: next }, true);
    setSide("span");
  };
  const fold = (name: string) => {
    const next = new Set(closed);
    if (!next.delete(name)) next.add(name);
    setClosed(next);
  };
  const logs = data?.logs ?? [];
  return (
    <section className="trace" aria-label="Trace" data-testid="trace">
      <header>
        <IconButton icon="left" label="Back to the records" keys="Esc" onClick={onClose} />
        <h2>Trace</h2>
        <code>{id}</code>
        <CopyButton label="Copy trace id" text={() => id} />
        <CopyButton icon="link" label="Copy link to this trace" text={() => window.location.href} />
        {data && (
          <ul className="sums">
            <li>{fits(tree.nodes.length, "span")}</li>
            <li>{fits(tree.services.length, "service")}</li>
            <li>{duration(tree.length)}</li>
            {tree.tokens > 0 && <li>{fits(tree.tokens, "token")}</li>}
            {cost > 0 && <li title="of the calls whose price is known">{usd(cost)}</li>}
            {tree.failures > 0 && <li className="bad">{fits(tree.failures, "error")}</li>}
          </ul>
        )}
      </header>
      {isPending && <Waiting what="Fetching the trace" />}
      {error && <Broken error={error} again={() => void refetch()} />}
      {data && tree.nodes.length === 0 && logs.length === 0 && (
        <div className="state">
          <p>No spans and no records of this trace are stored.</p>
          <p className="quiet">They may be older than the retention, or the sender does not export its spans.</p>
        </div>
      )}
      {data && (tree.nodes.length > 0 || logs.length > 0) && (
        <div className="trace-body">
          {tree.nodes.length > 0 && <Waterfall tree={tree} nodes={nodes} closed={closed} selected={selected?.span.span_id ?? null} onSelect={select} onFold={fold} />}
          <div className="trace-side">
            <div className="tabs" role="tablist" aria-label="Details of the trace">
              {selected && (
                <button type="button" role="tab" aria-selected={side === "span"} onClick={() => setSide("span")}>
                  Span
                </button>
              )}
              <button type="button" role="tab" aria-selected={side === "logs" || !selected} onClick={() => setSide("logs")}>
                Logs <b>{logs.length}</b>
              </button>
            </div>
            <div className="trace-detail" role="tabpanel">
              {side === "span" && selected ? (
                <SpanDetail key={selected.span.span_id} node={selected} cost={costs?.get(selected.span.span_id)} onFilter={onFilter} />
              ) : (
                <TraceLogs rows={logs} span={selected?.span.span_id ?? null} />
              )}
            </div>
          </div>
        </div>
      )}
    </section>
  );
}

/** The range that holds every span; empty while there is none. */
function around(tree: Tree): [string, string] {
  const first = millis(tree.nodes[0]?.span.start ?? "");
  return first === null ? ["", ""] : [new Date(first - DAY).toISOString(), new Date(first + tree.length / 1e6 + DAY).toISOString()];
}

/** The trace's records; those of the selected span stand out. */
function TraceLogs({ rows, span }: { rows: readonly Row[]; span: string | null }) {
  if (rows.length === 0) return <p className="quiet pad">No records carry this trace's id.</p>;
  return (
    <ol className="context" aria-label="Records of this trace">
      {rows.map((row) => (
        <li key={row.ref} className={`level-${row.level ?? "none"} ${span !== null && fieldAt(row.record, "spanId") === span ? "here" : ""}`}>
          <button type="button" title="Open this record" onClick={() => go({ trace: null, span: null, stream: row.stream, open: row.ref, tab: "fields" })}>
            <span className="stripe" />
            <time dateTime={row.time} title={exact(row.time)}>{short(row.time).slice(7)}</time>
            <span className="message">{shown((row.message ?? "").slice(0, 600))}</span>
          </button>
        </li>
      ))}
    </ol>
  );
}
