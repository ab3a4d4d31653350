import { expect, test, vi } from "vitest";

vi.mock("../address/prefs", () => ({ prefs: () => ({ zone: "utc" }) }));
const { duration, exact, nanos, rangeOver, typed, zoomedOut } = await import("./times");
const NOW = Date.parse("2026-11-24T12:00:00Z");

test("nanoseconds survive", () => {
  expect(nanos("2026-11-24T08:00:00.123456789Z")).toBe(1795507200123456789n);
  expect(nanos("2026-11-24 08:00:00.5")).toBe(1795507200500000000n);
  expect(nanos("2026-11-24T10:00:00+0200")).toBe(1795507200000000000n);
  expect(nanos("yesterday")).toBeNull();
  expect(exact("2026-11-24T08:00:00.123456789Z")).toBe("2026-11-24 08:00:00.123456789 UTC");
});

test("what people type becomes what the server reads", () => {
  expect(typed("now-90m")).toBe("now-90m");
  expect(typed(" 2026-11-24 08:00 ")).toBe("2026-11-24T08:00:00.000Z");
  expect(typed("2026-11-24")).toBe("2026-11-24T00:00:00.000Z");
  expect(typed("08:00")).toBeNull();
});

test("zooming out goes to the next usual range, or keeps the middle", () => {
  expect(zoomedOut("now-15m", "now", NOW)).toEqual({ from: "now-30m", to: "now" });
  expect(zoomedOut("2026-11-24T08:00:00Z", "2026-11-24T09:00:00Z", NOW)).toEqual({ from: "2026-11-24T07:30:00.000Z", to: "2026-11-24T09:30:00.000Z" });
});

test("the first range reaches the newest records", () => {
  expect(rangeOver(null, null, NOW)).toEqual({ from: "now-1h", to: "now" });
  expect(rangeOver("2026-11-01T00:00:00Z", "2026-11-24T11:59:00Z", NOW)).toEqual({ from: "now-1h", to: "now" });
  expect(rangeOver("2026-11-20T00:00:00Z", "2026-11-23T20:00:00Z", NOW)).toEqual({ from: "now-24h", to: "now" });
  expect(rangeOver("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z", NOW)).toEqual({ from: "2020-01-01T00:00:00.000Z", to: "2020-01-02T00:00:01.000Z" });
});

test("durations read in three figures", () => {
  expect([0, 900, 12_345, 1_980_000_000, 125e9, 7_260e9].map(duration)).toEqual(["0 s", "900 ns", "12.3 µs", "1.98 s", "2 m 05 s", "2 h 01 m"]);
});
