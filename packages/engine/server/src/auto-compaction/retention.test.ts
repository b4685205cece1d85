import { expect, test } from "vitest";
import { parseRetention } from "./retention.ts";

const parseDuration = (text: string): number | undefined => (text === "90m" ? 5_400_000 : undefined);
const parse = (mode: "periodic" | "revision", text: string) => parseRetention(mode, text, parseDuration);

test("a bare number counts hours, or revisions", () => {
  expect(parse("periodic", "2")).toEqual({ mode: "periodic", periodMs: 7_200_000 });
  expect(parse("revision", "1000")).toEqual({ mode: "revision", revisions: 1000 });
});

test("a period may be a duration", () => {
  expect(parse("periodic", "90m")).toEqual({ mode: "periodic", periodMs: 5_400_000 });
});

test("0 stands for no compaction", () => {
  expect(parse("periodic", "0")).toBeUndefined();
  expect(parse("revision", "0")).toBeUndefined();
});

test.each([
  ["periodic", "soon"],
  ["periodic", "-1"],
  ["periodic", ""],
  ["revision", "90m"],
  ["revision", "-1"],
  ["revision", "1.5"],
] as const)("%s does not take %j", (mode, text) => {
  expect(() => parse(mode, text)).toThrow(expect.objectContaining({ code: "CONFIG" }));
});
