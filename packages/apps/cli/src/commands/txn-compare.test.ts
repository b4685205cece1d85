import { hex, utf8 } from "@conclave/base";
import {
  Compare,
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
} from "@conclave/protocol/etcdserverpb";
import { describe, expect, test } from "vitest";
import { exitCodes } from "../exit.ts";
import { parseCompare } from "./txn-compare.ts";

describe("parseCompare", () => {
  test.each([
    ['value("k") = "v"', Target.VALUE, Result.EQUAL, { $case: "value", value: utf8("v") }],
    ['val("k") != "\\x31"', Target.VALUE, Result.NOT_EQUAL, { $case: "value", value: utf8("1") }],
    ['version("k") > "2"', Target.VERSION, Result.GREATER, { $case: "version", value: 2n }],
    ['ver("k") < "2"', Target.VERSION, Result.LESS, { $case: "version", value: 2n }],
    ['create("k") = "-1"', Target.CREATE, Result.EQUAL, { $case: "createRevision", value: -1n }],
    ['c("k") = "7"', Target.CREATE, Result.EQUAL, { $case: "createRevision", value: 7n }],
    ['mod("k")   >   "7"', Target.MOD, Result.GREATER, { $case: "modRevision", value: 7n }],
    ['m("k") = "9223372036854775807"', Target.MOD, Result.EQUAL, { $case: "modRevision", value: 2n ** 63n - 1n }],
    ['lease("k") = "ff"', Target.LEASE, Result.EQUAL, { $case: "lease", value: 255n }],
  ] as const)("%s", (line, target, result, targetUnion) => {
    const expected = Compare.fromPartial({ key: utf8("k"), target, result, targetUnion });
    expect(hex(Compare.encode(parseCompare(line)).finish())).toBe(hex(Compare.encode(expected).finish()));
  });

  test.each([
    ["garbage", "malformed comparison: garbage"],
    ['mod("a") > 0', 'malformed comparison: mod("a") > 0; got mod("a") > ""'],
    ["value(a) = 1", 'malformed comparison: value(a) = 1; got value("")  ""'],
    ['value("a")="1"', 'malformed comparison: value("a")="1"; got value("a")  ""'],
    ['key("a") = "b"', 'malformed comparison: key("a") = "b" (unknown target key)'],
    ['mod("a") >= "1"', 'malformed comparison: mod("a") >= "1" (unknown operator >=)'],
    ['mod("a") = "x"', 'invalid txn compare request: mod("a") = "x"'],
    ['lease("a") = "xyz"', 'invalid txn compare request: lease("a") = "xyz"'],
  ])("refuses %s", (line, message) => {
    expect(() => parseCompare(line)).toThrow(expect.objectContaining({ message, exitCode: exitCodes.invalidInput }));
  });
});
