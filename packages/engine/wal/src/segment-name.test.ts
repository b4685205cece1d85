import { expect, it } from "vitest";
import { formatSegmentName, parseSegmentName } from "./segment-name.ts";

it("a segment is named by its sequence and index in hex", () => {
  expect(formatSegmentName({ sequence: 17, index: 48_879 })).toBe("0000000000000011-000000000000beef.wal");
  expect(parseSegmentName("0000000000000011-000000000000beef.wal")).toEqual({ sequence: 17, index: 48_879 });
});

it.each([
  "0.tmp",
  "1.tmp",
  "0000000000000011-000000000000beef.wal.broken",
  "000000000000011-000000000000beef.wal",
  "0000000000000011-000000000000BEEF.wal",
  "000000000000001g-000000000000beef.wal",
  "0000000000000011_000000000000beef.wal",
  "ffffffffffffffff-0000000000000000.wal",
  "0000000000000011-000000000000beef.snap",
  "",
])("%j names no segment", (name) => {
  expect(parseSegmentName(name)).toBeUndefined();
});
