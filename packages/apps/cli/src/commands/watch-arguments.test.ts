import { utf8 } from "@conclave/base";
import { describe, expect, test } from "vitest";
import { parseArguments } from "../arguments.ts";
import { exitCodes } from "../exit.ts";
import { parseWatch, type WatchArguments, type WatchOptions, watchFlags } from "./watch-arguments.ts";

function parse(args: readonly string[], env: Record<string, string> = {}): WatchArguments {
  return parseWatch(parseArguments<WatchOptions>(watchFlags, args), env);
}

describe("parseWatch", () => {
  test("a key with options on both sides", () => {
    expect(parse(["--rev", "5", "k", "--prev-kv"])).toEqual({
      request: expect.objectContaining({ key: utf8("k"), rangeEnd: utf8(""), startRevision: 5n, prevKv: true }),
      program: [],
    });
  });

  test("a program after --, whose options are its own", () => {
    const { request, program } = parse(["a", "c", "--", "sh", "-c", "echo --prefix", "--", "x"]);
    expect(request).toMatchObject({ key: utf8("a"), rangeEnd: utf8("c") });
    expect(program).toEqual(["sh", "-c", "echo --prefix", "--", "x"]);
  });

  test("key and range end from the environment", () => {
    const env = { ETCDCTL_WATCH_KEY: "a", ETCDCTL_WATCH_RANGE_END: "z", CONCLAVECTL_WATCH_KEY: "b" };
    expect(parse(["--", "echo"], env)).toEqual({
      request: expect.objectContaining({ key: utf8("b"), rangeEnd: utf8("z") }),
      program: ["echo"],
    });
  });

  test.each([
    ["nothing to watch", []],
    ["nothing but a program", ["--", "echo"]],
    ["no program after --", ["a", "--"]],
    ["three keys", ["a", "b", "c"]],
    ["a prefix with a range end", ["--prefix", "a", "b"]],
  ])("refuses %s", (_what, args) => {
    expect(() => parse(args)).toThrow(expect.objectContaining({ exitCode: exitCodes.badArguments }));
  });
});
