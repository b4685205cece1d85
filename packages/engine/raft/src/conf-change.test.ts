import { emptyBytes, hex, utf8 } from "@conclave/base";
import { describe, expect, test } from "vitest";
import { confChangeOf, encodeConfChange, encodeConfChangeV2 } from "./conf-change.ts";
import { RaftError } from "./errors.ts";
import type { ConfChange, ConfChangeV2 } from "./types.ts";

describe("membership changes as bytes", () => {
  test("encodeConfChange() writes every number, zero or not, as etcd does", () => {
    const change: ConfChange = { id: 0n, type: "addNode", nodeId: 1n, context: emptyBytes };
    expect(hex(encodeConfChange(change))).toBe("080010001801");
  });

  test("a change of one member comes back as it was", () => {
    const change: ConfChange = { id: 7n, type: "addLearnerNode", nodeId: 2n ** 64n - 1n, context: utf8("{}") };
    expect(confChangeOf({ type: "confChange", data: encodeConfChange(change) })).toEqual(change);
  });

  test("a change of several members comes back as it was", () => {
    const change: ConfChangeV2 = {
      transition: "jointExplicit",
      changes: [
        { type: "addNode", nodeId: 4n },
        { type: "removeNode", nodeId: 1n },
      ],
      context: utf8("x"),
    };
    expect(confChangeOf({ type: "confChangeV2", data: encodeConfChangeV2(change) })).toEqual(change);
  });

  test("a command is no change", () => {
    expect(confChangeOf({ type: "normal", data: utf8("a") })).toBeUndefined();
  });

  test.each([
    ["bytes that are no message", "confChange", new Uint8Array([0x08])],
    ["an unknown type", "confChange", new Uint8Array([0x10, 9])],
    ["an unknown transition", "confChangeV2", new Uint8Array([0x08, 9])],
  ] as const)("%s are a MALFORMED_CONF_CHANGE", (_, type, data) => {
    expect(() => confChangeOf({ type, data })).toThrow(RaftError);
    expect(() => confChangeOf({ type, data })).toThrow(expect.objectContaining({ code: "MALFORMED_CONF_CHANGE" }));
  });
});
