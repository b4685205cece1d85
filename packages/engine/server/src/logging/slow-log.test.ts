import { expect, it } from "vitest";
import { type LogFields, silentLog } from "../log.ts";
import { SlowLog } from "./slow-log.ts";

it("SlowLog writes one line a second, and counts those that it leaves out", () => {
  let nowMs = 0;
  const lines: [string, LogFields | undefined][] = [];
  const log = new SlowLog(
    { ...silentLog, warn: (message, fields) => void lines.push([message, fields]) },
    { monotonicMs: () => nowMs },
  );
  for (nowMs of [0, 1, 999, 1000]) log.warn("slow", { at: nowMs });
  expect(lines).toEqual([
    ["slow", { at: 0 }],
    ["slow", { at: 1000, "more-since-last-line": 2 }],
  ]);
});
