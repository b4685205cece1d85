import { describe, expect, test } from "vitest";
import { encodeGrpcMessage } from "./grpc-message.ts";
import { parseGrpcTimeout } from "./grpc-timeout.ts";
import { addMetadata, HeaderMetadata } from "./metadata.ts";

describe("parseGrpcTimeout()", () => {
  test.each([
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["3S", 3000],
    ["4m", 4],
    ["5000u", 5],
    ["6000000n", 6],
    ["0S", 0],
    ["99999999S", 99_999_999_000],
  ])("reads %s", (value, timeoutMs) => {
    const timeout = parseGrpcTimeout(value);
    expect(timeout.kind).toBe("valid");
    expect(timeout.kind === "valid" && timeout.timeoutMs).toBeCloseTo(timeoutMs);
  });

  test.each(["", "S", "1", "1s", "1 S", "1.5S", "-1S", "+1S", "100000000S", "1S\n"])("refuses %j", (value) => {
    expect(parseGrpcTimeout(value).kind).toBe("malformed");
  });
});

describe("encodeGrpcMessage()", () => {
  test.each([
    ["", ""],
    ["etcdserver: mvcc: ~", "etcdserver: mvcc: ~"],
    ["100 %", "100 %25"],
    ["a\nb\x7f", "a%0Ab%7F"],
    ["é鍵", "%C3%A9%E9%8D%B5"],
  ])("writes %j as %j", (message, encoded) => {
    expect(encodeGrpcMessage(message)).toBe(encoded);
    expect(decodeURIComponent(encoded)).toBe(message);
  });
});

describe("HeaderMetadata", () => {
  const metadata = new HeaderMetadata({
    ":path": "/a.B/C",
    "grpc-timeout": "1S",
    te: "trailers",
    token: "secret",
    many: ["a", "b"],
    "key-bin": "AAH/, BQ==",
    "odd-bin": "A",
  });

  test("gives what the caller sent, and not what HTTP/2 and gRPC did", () => {
    expect(metadata.names()).toEqual(["token", "many", "key-bin", "odd-bin"]);
    expect([metadata.get("token"), metadata.get("many"), metadata.get("other")]).toEqual(["secret", "a, b", undefined]);
  });

  test("decodes binary values, padded or not", () => {
    expect(metadata.getBinary("key-bin").map((bytes) => [...bytes])).toEqual([[0, 1, 255], [5]]);
    expect(metadata.getBinary("other-bin")).toEqual([]);
    expect(() => metadata.getBinary("odd-bin")).toThrow('malformed binary metadata "A" in header "odd-bin"');
  });
});

describe("addMetadata()", () => {
  test("writes text as it is and bytes in base64", () => {
    const fields: Record<string, string> = {};
    addMetadata(fields, "raft-term", "7");
    addMetadata(fields, "trace-bin", Uint8Array.of(0, 255));
    expect(fields).toEqual({ "raft-term": "7", "trace-bin": "AP8=" });
  });

  test.each([
    ["Upper", "x"],
    ["", "x"],
    [":path", "x"],
    ["grpc-status", "0"],
    ["content-type", "x"],
    ["text", Uint8Array.of(1)],
    ["bytes-bin", "text"],
    ["text", "é"],
    ["text", "a\nb"],
  ])("refuses %j with %j", (name, value) => {
    expect(() => addMetadata({}, name, value)).toThrow(RangeError);
  });
});
