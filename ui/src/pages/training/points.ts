/** The points of a training run, in order, against the best counter that it has. */
import type { Json } from "../../server/types";
import { millis } from "../../time/times";

export interface Point {
  x: number;
  loss: number | null;
  grad: number | null;
  rate: number | null;
  speed: number | null;
  evaluated: number | null;
}

export interface Points {
  /** What x counts. */
  unit: "step" | "epoch" | "point";
  all: Point[];
  /** Points whose loss is no number although its line was printed. */
  broken: Point[];
  lastGood: Point | null;
  /** What the throughput counts. */
  speed: string;
}

const number = (value: Json | undefined): number | null => (value === null || value === undefined || !Number.isFinite(Number(value)) ? null : Number(value));

/** A line that writes its loss or gradient as `nan` or `inf`: both are null in the store, which knows only numbers. */
const NOT_A_NUMBER = /\b(?:loss|grad_norm)\b["']?\s*[:=]?\s*["']?[-+]?(?:nan|inf)/i;

const WINDOW = 20;

/** Progress per hour over the last points, where the run does not print its speed. */
function paced(all: readonly (Point & { at: number })[]): void {
  all.forEach((point, index) => {
    const earlier = all[index - WINDOW];
    const hours = earlier ? (point.at - earlier.at) / 3600e3 : 0;
    if (earlier && hours > 0 && point.x > earlier.x) point.speed = (point.x - earlier.x) / hours;
  });
}

/** Rows, newest first, as points, oldest first. */
export function pointsOf(rows: readonly Record<string, Json>[]): Points {
  const unit = rows.some((row) => number(row["step"]) !== null) ? "step" : rows.some((row) => number(row["epoch"]) !== null) ? "epoch" : "point";
  const all: (Point & { at: number })[] = [];
  const broken: Point[] = [];
  let lastGood: Point | null = null;
  [...rows].reverse().forEach((row, at) => {
    const x = unit === "point" ? at : number(row[unit]);
    if (x === null) return;
    const point = { x, at: millis(String(row["@timestamp"] ?? "")) ?? 0, loss: number(row["loss"]), grad: number(row["grad"]), rate: number(row["rate"]), speed: number(row["speed"]), evaluated: number(row["evaluated"]) };
    all.push(point);
    if (point.loss === null && NOT_A_NUMBER.test(String(row["body"] ?? ""))) broken.push(point);
    else if (point.loss !== null && broken.length === 0) lastGood = point;
  });
  all.sort((a, b) => a.x - b.x);
  const printed = all.some((point) => point.speed !== null);
  if (!printed) paced(all);
  return { unit, all, broken, lastGood, speed: printed ? "samples per second" : `${unit}s per hour` };
}
