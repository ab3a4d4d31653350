/** What the two uPlot charts share: colours out of the style sheet, ticks in the page's zone. */
import uPlot from "uplot";
import { useLayoutEffect, useRef } from "react";
import { prefs } from "../address/prefs";
import { LEVELS } from "../server/types";

/** The colour that `name` (a custom property) has now, as canvas needs it. */
export function colour(name: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** An instant in seconds as uPlot should read it: in the reader's zone or in UTC. */
export const zoned = (seconds: number): Date =>
  prefs().zone === "utc" ? uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC") : new Date(seconds * 1e3);

const TICKS: uPlot.Axis.Values = [
  [3600 * 24 * 365, "{YYYY}", null, null, null, null, null, null, 1],
  [3600 * 24, "{MMM} {D}", "\n{YYYY}", null, null, null, null, null, 1],
  [3600, "{HH}:{mm}", "\n{MMM} {D}", null, "\n{MMM} {D}", null, null, null, 1],
  [60, "{HH}:{mm}", "\n{MMM} {D}", null, "\n{MMM} {D}", null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", "\n{MMM} {D}", null, "\n{MMM} {D}", null, null, null, 1],
  [0.001, "{HH}:{mm}:{ss}.{fff}", null, null, null, null, null, null, 1],
];

const known = new Set<string>(LEVELS);
const HUES = 8;

/** The custom property that colours a series: a level's own colour, or the next hue. */
export function tint(series: string, index: number): string {
  const level = series.toLowerCase();
  return known.has(level) ? `--${level}-fill` : `--hue-${index % HUES}`;
}

/** Numbers of an axis or a label: 1.2k, 3M, 2e-5. */
export function brief(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${Number((value / 1e9).toPrecision(3))}G`;
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  if (size > 0 && size < 1e-3) return Number(value.toPrecision(3)).toExponential();
  return Number(value.toPrecision(6)).toLocaleString("en", { maximumSignificantDigits: 6 });
}

const font = () => `11px ${getComputedStyle(document.documentElement).getPropertyValue("--sans")}`;

/** Steps between ticks of a count. */
const WHOLE = [1, 2, 5].flatMap((step) => Array.from({ length: 13 }, (_item, power) => step * 10 ** power)).sort((a, b) => a - b);

/** The two axes, quiet; `whole` where a value is a count, `write` where it has a unit. */
export const axes = (whole = false, write: (value: number) => string = brief): uPlot.Axis[] => [
  { stroke: colour("--ink-3"), font: font(), size: 34, gap: 4, space: 90, grid: { show: false }, ticks: { stroke: colour("--line"), size: 4 }, values: TICKS },
  { stroke: colour("--ink-3"), font: font(), size: 52, gap: 6, space: 26, grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false }, ...(whole ? { incrs: WHOLE } : {}), values: (_plot, values) => values.map((value: number | null) => (value === null ? "" : write(value))) },
];

/** Keep a uPlot in `host`: made anew when `build` changes, sized with its box. */
export function usePlot(build: (width: number, height: number) => { options: uPlot.Options; data: uPlot.AlignedData } | null, inputs: readonly unknown[]) {
  const host = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const box = host.current;
    if (!box) return undefined;
    const made = build(box.clientWidth, box.clientHeight);
    if (!made) return undefined;
    const plot = new uPlot(made.options, made.data, box);
    const watch = new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height: box.clientHeight }));
    watch.observe(box);
    return () => {
      watch.disconnect();
      plot.destroy();
    };
  }, inputs);
  return host;
}
