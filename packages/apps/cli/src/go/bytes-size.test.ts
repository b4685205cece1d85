import { expect, test } from "vitest";
import { formatBytesSize } from "./bytes-size.ts";

test.each([
  [0, "0 B"],
  [9, "9 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [9940, "9.9 kB"],
  [9950, "10 kB"],
  [20_480, "20 kB"],
  [24_576, "25 kB"],
  [81_920, "82 kB"],
  [204_800, "205 kB"],
  [2_147_483_648, "2.1 GB"],
])("formatBytesSize(%d)", (bytes, text) => {
  expect(formatBytesSize(bytes)).toBe(text);
});
