/** Spans as a tree on the left and as bars in time on the right, line by line. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import type { KeyboardEvent } from "react";
import { brief } from "../histogram/plot";
import { Icon } from "../parts/Icon";
import { duration } from "../time/times";
import { kindOf, modelOf } from "./tree";
import type { Node, SpanKind, Tree } from "./tree";
import { shown } from "../parts/Text";

/** Whether a span's name says its model already, as `chat gpt-4.1` does of `gpt-4.1-2025-04-14`. */
const namesModel = (name: string, model: string): boolean => name.split(" ").some((word) => word.length > 3 && model.startsWith(word));

interface Props {
  tree: Tree;
  nodes: readonly Node[];
  closed: ReadonlySet<string>;
  selected: string | null;
  onSelect: (id: string) => void;
  onFold: (id: string) => void;
}

const SIGN: Record<SpanKind, string> = { model: "◆", agent: "◎", tool: "⚒", retrieval: "▤", embedding: "∷", server: "→", client: "←", work: "·" };
const HUES = 8;
const STEPS = [0, 0.5, 1];

export function Waterfall({ tree, nodes, closed, selected, onSelect, onFold }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: nodes.length, getScrollElement: () => box.current, estimateSize: () => 26, overscan: 20, getItemKey: (index) => nodes[index]!.span.span_id + index });
  const at = nodes.findIndex((node) => node.span.span_id === selected);
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at, { align: "auto" });
  }, [at]);
  const press = (event: KeyboardEvent) => {
    const step = ({ ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 } as Record<string, number>)[event.key];
    const node = nodes[at];
    if (step) {
      event.preventDefault();
      event.stopPropagation();
      onSelect(nodes[Math.min(Math.max(at + step, 0), nodes.length - 1)]!.span.span_id);
    } else if (node && node.children.length > 0 && (event.key === "ArrowRight") === closed.has(node.span.span_id) && /^Arrow(Left|Right)$/.test(event.key)) {
      event.preventDefault();
      onFold(node.span.span_id);
    }
  };
  return (
    <div className="waterfall" ref={box} role="tree" aria-label="Spans" tabIndex={0} onKeyDown={press} aria-activedescendant={at >= 0 ? `span-${selected}` : undefined} data-testid="waterfall">
      <div className="waterfall-head" aria-hidden="true">
        <span>span</span>
        <span className="scale">
          {STEPS.map((step) => (
            <i key={step} style={{ left: `${step * 100}%` }}>{step === 0 ? "0" : duration(tree.length * step)}</i>
          ))}
        </span>
        <span className="figure">duration</span>
        <span className="figure">tokens in → out</span>
      </div>
      <div className="virtual" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const node = nodes[item.index]!;
          const { span } = node;
          const used = modelOf(span);
          const kind = kindOf(span);
          const left = (node.start / tree.length) * 100;
          const width = (node.duration / tree.length) * 100;
          const folded = closed.has(span.span_id);
          const title = `${span.name}, ${span.service ?? "unknown service"}, ${duration(node.duration)}${node.failed ? ", failed" : ""}`;
          return (
            <div
              key={item.key}
              id={`span-${span.span_id}`}
              role="treeitem"
              aria-level={node.depth + 1}
              aria-label={title}
              aria-selected={span.span_id === selected}
              {...(node.children.length ? { "aria-expanded": !folded } : {})}
              className={`virtual-row span ${node.failed ? "failed" : ""}`}
              style={{ transform: `translateY(${item.start}px)` }}
              onClick={() => onSelect(span.span_id)}
            >
              <span className="span-name" style={{ paddingLeft: 6 + Math.min(node.depth, 24) * 14 }}>
                {node.children.length > 0 ? (
                  <button
                    type="button"
                    tabIndex={-1}
                    className={`fold ${folded ? "" : "open"}`}
                    aria-label={folded ? `Unfold ${span.name}` : `Fold ${span.name}`}
                    onClick={(event) => {
                      event.stopPropagation();
                      onFold(span.span_id);
                    }}
                  >
                    <Icon name="right" />
                  </button>
                ) : (
                  <span className="fold" />
                )}
                <span className={`kind ${kind}`} title={kind} aria-hidden="true">{SIGN[kind]}</span>
                <span className="name" title={title}>{shown(span.name.slice(0, 200))}</span>
                {used?.model && !namesModel(span.name, used.model) && <span className="tag model-name">{shown(used.model.slice(0, 60))}</span>}
                {node.orphan && <span className="tag" title="its parent is not among these spans">no parent</span>}
                {node.failed && <span className="tag bad">error</span>}
                <span className="service">{shown(span.service ?? "")}</span>
              </span>
              <span className="lane">
                <i className={`bar hue-${tree.services.indexOf(span.service ?? "unknown") % HUES}`} style={{ left: `${left}%`, width: `max(2px, ${width}%)` }} />
              </span>
              <span className="figure">{duration(node.duration)}</span>
              <span className="figure" title={used?.model ? `tokens in and out of ${used.model}` : ""}>
                {used && (used.input > 0 || used.output > 0) && `${brief(used.input)} → ${brief(used.output)}`}
              </span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
