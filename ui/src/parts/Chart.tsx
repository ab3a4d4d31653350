/** Lines, bars or points over time (or over steps), with values under the pointer; drag to zoom in time. */
import { useState } from "react";
import uPlot from "uplot";
import { go } from "../address/address";
import { usePrefs } from "../address/prefs";
import { axes, colour, tint, usePlot, zoned } from "../histogram/plot";
import type { OverTime } from "../results/pivot";
import { drawable } from "../results/pivot";
import type { Answer } from "../server/types";
import { bucketMs, ends, usePage } from "../shell/page";
import { long } from "../time/times";
import { shown } from "./Text";
import { withUnit } from "./units";
import type { Unit } from "./units";

export interface Mark {
  /** Where on the x axis: seconds since 1970, or a step. */
  at: number;
  label: string;
}

interface Props {
  drawn: OverTime;
  kind: "lines" | "bars";
  unit?: Unit;
  /** What the x axis counts; time when left out. */
  steps?: string;
  marks?: readonly Mark[];
  label: string;
  /** Begin the scale at the least value instead of zero. */
  low?: boolean;
  /** A logarithmic scale, for values that explode. */
  log?: boolean;
}

const SEVERITIES: Record<string, string> = { critical: "--fatal-fill", high: "--error-fill", medium: "--warn-fill", low: "--info-fill", informational: "--debug-fill" };
const shadeOf = (name: string, index: number): string => SEVERITIES[name.toLowerCase()] ?? tint(name, index);

/** Put the buckets in that had no rows: nothing happened then, or nothing was measured. */
export function whole(drawn: OverTime, span: string, from: string, to: string, counts: boolean): OverTime {
  const step = bucketMs(span) / 1e3;
  const [start, end] = ends(from, to).map((ms) => Math.floor(ms / 1e3 / step) * step) as [number, number];
  if (!(step > 0) || (end - start) / step > 400) return drawn;
  const times = Array.from({ length: Math.max(1, Math.round((end - start) / step) + 1) }, (_item, at) => start + at * step);
  const known = new Set(times);
  if (drawn.times.some((time) => !known.has(time))) return drawn; // buckets of another grid: weeks, months
  const at = new Map(drawn.times.map((time, place) => [time, place]));
  const fill = counts ? 0 : null;
  return { ...drawn, times, series: drawn.series.map((series) => ({ ...series, values: times.map((time) => (at.has(time) ? series.values[at.get(time)!]! : fill)) })) };
}

/** Bands over the places of marks, as wide as the step between points, so that many stay readable. */
function marked(marks: readonly Mark[], times: readonly number[]) {
  const step = times.length > 1 ? (times.at(-1)! - times[0]!) / (times.length - 1) : 1;
  return (plot: uPlot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.globalAlpha = 0.22;
    ctx.fillStyle = colour("--error-fill");
    for (const mark of marks) {
      const [low, high] = [plot.valToPos(mark.at - step / 2, "x", true), plot.valToPos(mark.at + step / 2, "x", true)];
      const left = Math.max(low, bbox.left);
      const right = Math.min(Math.max(high, low + devicePixelRatio), bbox.left + bbox.width);
      if (right > left) ctx.fillRect(left, bbox.top, right - left, bbox.height);
    }
    ctx.restore();
  };
}

export function Chart({ drawn, kind, unit = "", steps, marks = [], label, low = false, log = false }: Props) {
  const { dark } = usePage();
  const { zone } = usePrefs();
  const [at, setAt] = useState<number | null>(null);
  const bars = kind === "bars";
  const host = usePlot(
    (width, height) => {
      const paths = bars ? uPlot.paths.bars!({ size: [0.86, 40], align: 1 }) : uPlot.paths.linear!();
      const sums = drawn.times.map(() => 0);
      const layers = drawn.series.map((series) => (bars ? series.values.map((value, place) => (sums[place] = sums[place]! + (value ?? 0))) : series.values));
      const few = drawn.times.length < 50;
      const styles = drawn.series.map((series, index): uPlot.Series => {
        const shade = colour(shadeOf(series.name, index));
        if (bars) return { label: series.name, paths, fill: shade, width: 0, points: { show: false } };
        const sparse = few || series.values.filter((value) => value !== null).length < 50;
        return { label: series.name, paths, stroke: shade, width: 1.6, spanGaps: sparse, points: { show: sparse, size: 4, fill: shade } };
      });
      const step = (drawn.times[1] ?? 1) - (drawn.times[0] ?? 0);
      const write = (value: number) => withUnit(value, unit);
      const [across, up] = axes(bars && unit === "", write);
      const options: uPlot.Options = {
        width,
        height,
        padding: [8, 24, 0, 0], // half a label of the axis stands beyond the last bucket
        tzDate: zoned,
        legend: { show: false },
        axes: [steps ? { ...across!, values: (_plot, values) => values.map((value) => Number(value.toPrecision(6)).toLocaleString("en")) } : across!, { ...up!, size: 58 }],
        scales: {
          x: { time: !steps, range: (_plot, first, last) => [first, bars ? last + step : last === first ? last + 1 : last] },
          y: log ? { distr: 3 } : { range: (_plot, least, most) => (low ? [(least ?? 0) * 0.98, (most || 1) * 1.02] : [Math.min(0, least ?? 0), (most || 1) * 1.05]) },
        },
        series: [{}, ...(bars ? styles.reverse() : styles)],
        cursor: { y: false, points: { show: !bars }, drag: { x: !steps, y: false, setScale: false } },
        hooks: {
          drawAxes: [marked(marks, drawn.times)],
          setCursor: [(plot) => setAt(plot.cursor.idx ?? null)],
          setSelect: [
            (plot) => {
              if (steps || plot.select.width < 4) return;
              const [from, to] = [plot.select.left, plot.select.left + plot.select.width].map((x) => new Date(plot.posToVal(x, "x") * 1e3).toISOString());
              go({ from: from!, to: to! });
            },
          ],
        },
      };
      return { options, data: [drawn.times, ...(bars ? layers.reverse() : layers)] as uPlot.AlignedData };
    },
    [drawn, kind, unit, dark, zone, marks, steps],
  );
  const time = at === null ? undefined : drawn.times[at];
  return (
    <figure className="plotted">
      <div className="plot" ref={host} role="img" aria-label={`${label}: ${drawn.series.map((series) => series.name.slice(0, 60)).join(", ")}`} data-testid="plot" />
      <figcaption className="chart-legend">
        {drawn.series.map((series, index) => {
          const value = at === null ? null : series.values[at];
          return (
            <span key={series.name} title={shown(series.name.slice(0, 300))}>
              <i className={`swatch`} style={{ background: `var(${shadeOf(series.name, index)})` }} aria-hidden="true" />
              <bdi>{shown(series.name.slice(0, 48))}</bdi>
              {value !== null && value !== undefined && <b>{withUnit(value, unit)}</b>}
            </span>
          );
        })}
        {drawn.more > 0 && <span className="quiet">and {drawn.more} smaller</span>}
        {time !== undefined && <span className="quiet at">{steps ? `${steps} ${Number(time.toPrecision(6))}` : long(time * 1e3)}</span>}
      </figcaption>
    </figure>
  );
}

/** The chart of an answer whose rows have a time; nothing when it has none. */
export function AnswerChart({ answer, kind, unit = "", label, low = false }: { answer: Answer; kind: "lines" | "bars"; unit?: Unit; label: string; low?: boolean }) {
  const { span, from, to } = usePage();
  const drawn = drawable(answer, true);
  if (drawn?.kind !== "time") return <p className="quiet hollow">These rows cannot be drawn over time.</p>;
  return <Chart drawn={whole(drawn, span, from, to, kind === "bars")} kind={kind} unit={unit} label={label} low={low} />;
}
