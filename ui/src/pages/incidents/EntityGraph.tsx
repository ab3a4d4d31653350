/** Who, where and what of an incident, and which findings tie them together; each leads to its records. */
import { useMemo, useState } from "react";
import type { KeyboardEvent } from "react";
import { EXPLORE } from "../../address/address";
import { entityQuery } from "../../parts/Entities";
import { Link } from "../../parts/Link";
import { shown } from "../../parts/Text";
import type { Case } from "../../server/incidents";
import { picture, ROW, seen, SIDES } from "./ties";
import type { Picture, Placed, Side } from "./ties";

const WIDTH = 960;
const BOX = 250;
const HEAD = 24;
const LEFT: Readonly<Record<Side, number>> = { who: 0, where: (WIDTH - BOX) / 2, what: WIDTH - BOX };
const middle = (knot: Placed): number => HEAD + knot.row * ROW + ROW / 2;

export function EntityGraph({ incident, to }: { incident: Case; to: string }) {
  const drawn = useMemo(() => picture(incident.graph), [incident.graph]);
  const [at, setAt] = useState<number | null>(null);
  if (drawn.knots.length === 0) return <p className="quiet">No finding of this incident names anybody or anything.</p>;
  const near = new Set(drawn.ties.filter((tie) => tie.from.id === at || tie.to.id === at).flatMap((tie) => [tie.from.id, tie.to.id]));
  const tone = (...ids: number[]) => (at === null ? "" : ids.includes(at) ? "lit" : ids.length === 1 && near.has(ids[0]!) ? "near" : "dim");
  const range = { from: incident.start, to };
  return (
    <figure className="entity-graph" data-testid="entity-graph">
      <svg viewBox={`0 0 ${WIDTH} ${HEAD + drawn.rows * ROW + 4}`} role="group" aria-label="Entities of the incident and what ties them together" onKeyDown={step}>
        {SIDES.map((side) => <text key={side} className="side" x={LEFT[side] + 2} y={14}>{side}</text>)}
        {seen(drawn, at).map((tie) => (
          <path key={`${tie.from.id}-${tie.to.id}`} className={`tie ${tone(tie.from.id, tie.to.id)}`} d={curve(tie.from, tie.to)} strokeWidth={Math.min(5, 1 + Math.log2(tie.findings))} aria-hidden="true" />
        ))}
        {drawn.knots.map((knot) => (
          <Link
            key={knot.id} path={EXPLORE} to={knot.kind === "trace" ? { trace: knot.value, ...range } : { ...entityQuery(knot.kind, knot.value), ...range }}
            className={`knot ${tone(knot.id)}`} aria-label={said(knot, drawn)}
            onFocus={() => setAt(knot.id)} onBlur={() => setAt(null)} onMouseEnter={() => setAt(knot.id)} onMouseLeave={() => setAt(null)}
          >
            <rect x={LEFT[knot.side] + 1} y={middle(knot) - 11} width={BOX - 2} height={22} rx={4} />
            <text x={LEFT[knot.side] + 8} y={middle(knot) + 4}>
              <tspan className="kind">{shown(knot.kind.slice(0, 14))} </tspan>{clipped(knot)}
            </text>
            <text className="count" x={LEFT[knot.side] + BOX - 8} y={middle(knot) + 4}>{knot.findings}</text>
          </Link>
        ))}
      </svg>
      <figcaption className="quiet">
        Numbers count findings; a line leads from each entity to what most of its findings name with it. Point at one for all of its lines.{drawn.left > 0 && ` ${drawn.left} more entities are named under “concerns”.`}
      </figcaption>
    </figure>
  );
}

/** What a reader hears of an entity: its name, its findings and what it stands with. */
function said(knot: Placed, drawn: Picture): string {
  const others = drawn.ties.flatMap((tie) => (tie.from.id === knot.id ? [tie.to] : tie.to.id === knot.id ? [tie.from] : []));
  const named = others.slice(0, 6).map((other) => `${other.kind} ${shown(other.value.slice(0, 40))}`).join(", ");
  return `${shown(knot.kind)} ${shown(knot.value.slice(0, 100))}: ${knot.findings} findings${named && `, with ${named}`}`;
}

function clipped(knot: Placed): string {
  const most = 30 - Math.min(14, knot.kind.length);
  const text = shown(knot.value.slice(0, 200));
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function curve(a: Placed, b: Placed): string {
  const [from, to] = LEFT[a.side] < LEFT[b.side] ? [a, b] : [b, a];
  const [x, end] = [LEFT[from.side] + BOX, LEFT[to.side]];
  const bend = (end - x) / 2;
  return `M${x},${middle(from)} C${x + bend},${middle(from)} ${end - bend},${middle(to)} ${end},${middle(to)}`;
}

/** Up and down lead from one entity to the next. */
function step(event: KeyboardEvent<SVGSVGElement>): void {
  const way = ({ ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 } as Record<string, number>)[event.key];
  if (!way) return;
  const all = [...event.currentTarget.querySelectorAll<SVGAElement>("a")];
  const next = all[all.findIndex((one) => one === document.activeElement) + way];
  if (!next) return;
  event.preventDefault();
  event.stopPropagation();
  next.focus();
}
