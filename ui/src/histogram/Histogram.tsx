/** Counts over time, stacked by level; drag to zoom. */
import { useState } from "react";
import uPlot from "uplot";
import { go } from "../address/address";
import { usePrefs } from "../address/prefs";
import type { Counts } from "../server/types";
import { LEVELS } from "../server/types";
import { long, millis, rfc3339, short } from "../time/times";
import { axes, brief, colour, usePlot, zoned } from "./plot";

const known = new Set<string>(LEVELS);
/** The custom property that colours a series. */
const tint = (series: string): string => (known.has(series) ? `--${series}-fill` : "--none-fill");
const rank = (series: string): number => (known.has(series) ? LEVELS.indexOf(series as (typeof LEVELS)[number]) : LEVELS.length);

interface Props {
  counts: Counts;
  stale: boolean;
  dark: boolean;
}

/** Series of `counts` with any record, the gravest first (they stand on the base line, where heights compare). */
function ordered(counts: Counts): { name: string; index: number; total: number }[] {
  return counts.series
    .map((name, index) => ({ name, index, total: counts.buckets.reduce((sum, bucket) => sum + (bucket.counts[index] ?? 0), 0) }))
    .filter((item) => item.total > 0)
    .sort((a, b) => rank(a.name) - rank(b.name));
}

function stacked(counts: Counts, shown: readonly { index: number }[]): uPlot.AlignedData {
  const times = counts.buckets.map((bucket) => (millis(bucket.time) ?? 0) / 1e3);
  const sums = counts.buckets.map(() => 0);
  const layers = shown.map(({ index }) =>
    counts.buckets.map((bucket, at) => (sums[at] = sums[at]! + (bucket.counts[index] ?? 0))),
  );
  return [times, ...layers.reverse()];
}

export function Histogram({ counts, stale, dark }: Props) {
  const { zone } = usePrefs();
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [at, setAt] = useState<number | null>(null);
  const all = ordered(counts);
  const shown = all.filter((item) => !hidden.has(item.name));
  const bucket = at === null ? undefined : counts.buckets[at];

  const host = usePlot(
    (width, height) => {
      const start = (millis(counts.from) ?? 0) / 1e3;
      const end = (millis(counts.to) ?? 0) / 1e3;
      const bars = uPlot.paths.bars!({ size: [0.86, 40], align: 1 });
      const options: uPlot.Options = {
        width,
        height,
        padding: [8, 20, 0, 0],
        tzDate: zoned,
        legend: { show: false },
        scales: { x: { range: () => [start, end] }, y: { range: (_plot, _low, high) => [0, Math.max(1, high || 1) * 1.05] } },
        axes: axes(true),
        // Painted from the tallest sum down, so that each layer shows its own share.
        series: [{}, ...[...shown].reverse().map((item) => ({ label: item.name, fill: colour(tint(item.name)), width: 0, paths: bars, points: { show: false } }))],
        cursor: { y: false, drag: { x: true, y: false, setScale: false }, points: { show: false } },
        hooks: {
          setCursor: [(plot) => setAt(plot.cursor.idx ?? null)],
          setSelect: [
            (plot) => {
              if (plot.select.width < 4) return;
              const from = plot.posToVal(plot.select.left, "x") * 1e3;
              const to = plot.posToVal(plot.select.left + plot.select.width, "x") * 1e3;
              go({ from: rfc3339(Math.floor(from)), to: rfc3339(Math.ceil(to)), live: false });
            },
          ],
        },
      };
      return { options, data: stacked(counts, shown) };
    },
    [counts, hidden, dark, zone],
  );

  const toggle = (name: string) => {
    const next = new Set(hidden);
    if (!next.delete(name)) next.add(name);
    setHidden(next);
  };
  const summary = `${counts.total.toLocaleString("en")} records from ${counts.from} to ${counts.to}: ${all.map((item) => `${item.total} ${item.name}`).join(", ")}`;
  return (
    <section className={`histogram ${stale ? "stale" : ""}`} aria-label="Records over time">
      <div className="legend">
        {all.map((item) => (
          <button key={item.name} type="button" aria-pressed={!hidden.has(item.name)} title={`show or hide ${item.name}`} onClick={() => toggle(item.name)}>
            <i className={`swatch ${tint(item.name).slice(2)}`} aria-hidden="true" />
            {known.has(item.name) ? item.name : "no level"}
            <b>{brief(bucket ? (bucket.counts[item.index] ?? 0) : item.total)}</b>
          </button>
        ))}
        <span className="bucket">
          {bucket ? short(bucket.time).replace(/\.000$/, "") : `each bar ${step(counts.interval_ms)}`}
        </span>
      </div>
      <div className="plot" ref={host} role="img" aria-label={summary} data-testid="histogram" title={`${long(millis(counts.from) ?? 0)} and on: drag to zoom`} />
    </section>
  );
}

function step(ms: number): string {
  const found = ([["d", 86400e3], ["h", 3600e3], ["min", 60e3], ["s", 1e3]] as const).find(([, size]) => ms >= size);
  return found ? `${Number((ms / found[1]).toFixed(2))} ${found[0]}` : `${ms} ms`;
}
