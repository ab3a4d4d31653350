/** Loss, gradient norm, speed and learning rate against the step. */
import { useMemo } from "react";
import { Card } from "../../parts/Card";
import { Chart } from "../../parts/Chart";
import type { OverTime } from "../../results/pivot";
import type { Point, Points } from "./points";

const CURVES: readonly [string, readonly (readonly [keyof Point, string])[]][] = [
  ["Loss", [["loss", "training"], ["evaluated", "evaluation"]]],
  ["Gradient norm", [["grad", "norm"]]],
  ["Learning rate", [["rate", "rate"]]],
  ["Throughput", [["speed", "speed"]]],
];

export function Curves({ points, ready, query }: { points: Points; ready: boolean; query: string }) {
  return <>{CURVES.map(([title, parts]) => <Curve key={title} title={title} parts={parts} points={points} ready={ready} query={query} />)}</>;
}

function Curve({ title, parts, points, ready, query }: { title: string; parts: readonly (readonly [keyof Point, string])[]; points: Points; ready: boolean; query: string }) {
  const drawn = useMemo((): OverTime => {
    const places = new Map<number, Point>();
    for (const point of points.all) {
      const seen = places.get(point.x);
      // Two lines of one step (training, evaluation) are one point.
      places.set(point.x, seen ? (Object.fromEntries(Object.entries(point).map(([name, value]) => [name, value ?? seen[name as keyof Point]])) as unknown as Point) : point);
    }
    const all = [...places.values()];
    const series = parts.map(([name, label]) => ({ name: label, values: all.map((point) => point[name]) })).filter((item) => item.values.some((value) => value !== null));
    return { kind: "time", times: all.map((point) => point.x), series, more: 0 };
  }, [points, parts]);
  const marks = useMemo(() => (title === "Loss" || title === "Gradient norm" ? points.broken.slice(0, 200).map((point) => ({ at: point.x, label: "NaN" })) : []), [points, title]);
  const about = title === "Throughput" ? points.speed : marks.length > 0 ? `${points.broken.length} points are not a number (red)` : "";
  const note = [`by ${points.unit}`, about].filter(Boolean).join("; ");
  return (
    <Card title={title} query={query} note={note}>
      {!ready ? <p className="quiet hollow">fetching…</p> : drawn.series.length === 0 ? <p className="quiet hollow">The run does not say it.</p> : <Chart drawn={drawn} kind="lines" steps={points.unit} marks={marks} label={title} low={title === "Loss"} log={title === "Gradient norm" && points.all.every((point) => point.grad === null || point.grad > 0)} />}
    </Card>
  );
}
