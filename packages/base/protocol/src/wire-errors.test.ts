import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { GrpcStatus } from "./grpc-status.ts";
import { WireError, wireErrorName, wireErrors } from "./wire-errors.ts";

const table = readFileSync(new URL("./testdata/errors.txt", import.meta.url), "utf8");

describe("wireErrors", () => {
  it("is the protocol's table, byte for byte", () => {
    const statusName = new Map(Object.entries(GrpcStatus).map(([name, code]) => [code, name]));
    const lines = Object.entries(wireErrors).map(
      ([name, { status, text }]) => `${name}: ${statusName.get(status)} - ${text}\n`,
    );
    expect(lines.join("")).toBe(table);
  });

  it("has a text for each name, so that a name can be found by its text", () => {
    for (const [name, { text }] of Object.entries(wireErrors)) expect(wireErrorName(text)).toBe(name);
    expect(wireErrorName("etcdserver: no such error")).toBeUndefined();
  });
});

describe("WireError", () => {
  it("carries name, code, status and text of the table", () => {
    const cause = new Error("below the horizon");
    const error = new WireError("Compacted", { cause });
    expect(error).toMatchObject({
      name: "WireError",
      code: "Compacted",
      status: 11,
      message: "etcdserver: mvcc: required revision has been compacted",
      cause,
    });
  });
});
