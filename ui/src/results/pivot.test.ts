import { expect, test } from "vitest";
import type { Answer, Json } from "../server/types";
import { drawable } from "./pivot";

const answer = (schema: [string, string][], datarows: Json[][]): Answer => ({ schema: schema.map(([name, type]) => ({ name, type })), datarows, total: datarows.length, size: datarows.length }) as Answer;
const TIME: [string, string] = ["span(@timestamp,1h)", "timestamp"];

test("a number that a query groups by names series, it is not drawn", () => {
  const drawn = drawable(answer([["count()", "bigint"], TIME, ["attributes.http.response.status_code", "bigint"]], [[7, "2026-11-24 08:00:00", 200], [2, "2026-11-24 08:00:00", 500], [9, "2026-11-24 09:00:00", 200]]));
  expect(drawn?.kind === "time" && drawn.series).toEqual([{ name: "200", values: [7, 9] }, { name: "500", values: [2, null] }]);
  const names = drawable(answer([["count()", "bigint"], ["status.code", "int"]], [[7, 0], [2, 2]]));
  expect(names?.kind === "names" && names.bars).toEqual([{ name: "0", value: 7 }, { name: "2", value: 2 }]);
});

test("figures stay figures, before and after the time", () => {
  const after = drawable(answer([["p95", "double"], TIME, ["ratio", "double"]], [[1, "2026-11-24 08:00:00", 3], [2, "2026-11-24 09:00:00", 4]]));
  expect(after?.kind === "time" && after.series.map((series) => series.name)).toEqual(["ratio", "p95"]);
  const charted = drawable(answer([["@timestamp", "timestamp"], ["attributes.a.b", "double"], ["n", "bigint"]], [["2026-11-24 08:00:00", 3, 1], ["2026-11-24 09:00:00", 4, 2]]));
  expect(charted?.kind === "time" && charted.series).toHaveLength(2);
});
