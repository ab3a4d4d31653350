import { expect, test } from "vitest";
import { pointsOf } from "./points";

const row = (epoch: number, loss: number | null, body = "") => ({ epoch, step: null, loss, body });

test("points come in order and a printed nan is a broken one", () => {
  const points = pointsOf([row(3, null, "{'loss': 'nan', 'grad_norm': 'nan'}"), row(2, 1.5), row(1, 2.5)]);
  expect(points.unit).toBe("epoch");
  expect(points.all.map((point) => point.x)).toEqual([1, 2, 3]);
  expect(points.broken.map((point) => point.x)).toEqual([3]);
  expect(points.lastGood?.loss).toBe(1.5);
});

test("a line without a loss is not a broken one", () => {
  expect(pointsOf([row(1, null, "saved a checkpoint in /nan")]).broken).toEqual([]);
});
