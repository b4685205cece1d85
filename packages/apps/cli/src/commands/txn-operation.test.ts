import { utf8 } from "@conclave/base";
import { DeleteRangeRequest, PutRequest, RangeRequest } from "@conclave/protocol/etcdserverpb";
import { describe, expect, test } from "vitest";
import { exitCodes } from "../exit.ts";
import { parseOperation } from "./txn-operation.ts";

describe("parseOperation", () => {
  test("put with a quoted value and options", () => {
    expect(parseOperation('put --prev-kv "a b" "x y" --lease=ff')).toEqual({
      request: {
        $case: "requestPut",
        value: PutRequest.fromPartial({ key: utf8("a b"), value: utf8("x y"), lease: 255n, prevKv: true }),
      },
    });
  });

  test("put that keeps the value", () => {
    expect(parseOperation("put k --ignore-value")).toEqual({
      request: { $case: "requestPut", value: PutRequest.fromPartial({ key: utf8("k"), ignoreValue: true }) },
    });
  });

  test("get of everything", () => {
    expect(parseOperation('get "" --prefix --limit 2')).toEqual({
      request: {
        $case: "requestRange",
        value: RangeRequest.fromPartial({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), limit: 2n }),
      },
    });
  });

  test("del of a range", () => {
    expect(parseOperation("del a c")).toEqual({
      request: {
        $case: "requestDeleteRange",
        value: DeleteRangeRequest.fromPartial({ key: utf8("a"), rangeEnd: utf8("c") }),
      },
    });
  });

  test.each([
    ["put", "invalid txn compare request: put", exitCodes.invalidInput],
    ["watch a", "invalid txn request: watch a", exitCodes.invalidInput],
    ["get a --bogus", "invalid txn request: get a --bogus (unknown flag: --bogus)", exitCodes.invalidInput],
    ['get "a', 'invalid txn request: get "a (malformed quoted string "a)', exitCodes.invalidInput],
    ["put a", "put command needs 1 argument and input from stdin or 2 arguments", exitCodes.badArguments],
    [
      "put a 1 --lease=zz",
      'bad lease ID (strconv.ParseInt: parsing "zz": invalid syntax), expecting ID in Hex',
      exitCodes.badArguments,
    ],
  ])("refuses %s", (line, message, exitCode) => {
    expect(() => parseOperation(line)).toThrow(expect.objectContaining({ message, exitCode }));
  });
});
