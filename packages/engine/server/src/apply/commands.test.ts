import { nobody } from "@conclave/auth";
import { hex, utf8, utf8Text } from "@conclave/base";
import { decodeReceived, receivedBytes } from "@conclave/protocol";
import { PutRequest, RequestOp, TxnRequest } from "@conclave/protocol/etcdserverpb";
import { describe, expect, test } from "vitest";
import { decodeCommand, encodeCommand, knownCommand } from "./commands.ts";

function bytes(text: string): Uint8Array {
  return Buffer.from(text.replaceAll(" ", ""), "hex");
}

const putOp = RequestOp.fromPartial({ request: { $case: "requestPut", value: { key: utf8("k") } } });
const txn = TxnRequest.fromPartial({
  compare: [{ key: utf8("k"), targetUnion: { $case: "createRevision", value: 0n } }],
  success: [putOp, putOp],
});

describe("encodeCommand() and decodeCommand()", () => {
  // Entries of a real etcd's log.
  test.each([
    ["put", "220a0a03666f6f1203626172 a2060b0885caa99e86bfa8b68a01"],
    ["deleteRange", "2a0a0a036b657912036b657a a2060b0885caa99e86bfa8b68a01"],
    ["compaction", "3a02080a a2060b0885caa99e86bfa8b68a01"],
    ["alarm", "52060801100c1801 a2060b0885caa99e86bfa8b68a01"],
    ["alarm", "5200 a2060b0885caa99e86bfa8b68a01"],
    ["authRoleAdd", "a2060b0885caa99e86bfa8b68a01 824b04 0a027231"],
    ["authEnable", "a2060b0885caa99e86bfa8b68a01 c23e00"],
    ["put", "220a0a03666f6f1203626172 a206110885caa99e86bfa8b68a01120275311807"],
  ])("write %s as etcd does: %s", (kind, text) => {
    const command = decodeCommand(bytes(text));
    expect(command?.kind).toBe(kind);
    if (command === undefined) return;
    expect(hex(encodeCommand(command.kind, command.request, command.id, command))).toBe(hex(bytes(text)));
  });

  test("put the header before commands whose field comes after it", () => {
    const data = encodeCommand("clusterVersionSet", { ver: "3.6.0" }, 1n);
    expect(hex(data).startsWith("a206020801")).toBe(true);
    expect(decodeCommand(data)).toEqual({ kind: "clusterVersionSet", id: 1n, request: { ver: "3.6.0" } });
  });

  test("keep every byte of keys and values", () => {
    const key = Uint8Array.from({ length: 256 }, (_, at) => at);
    const request = PutRequest.fromPartial({ key, value: utf8("värde"), lease: 2n ** 63n - 1n });
    const command = decodeCommand(encodeCommand("put", request, 7n));
    expect(command).toMatchObject({ kind: "put", id: 7n });
    if (command?.kind !== "put") return;
    expect(hex(command.request.key)).toBe(hex(key));
    expect(utf8Text(command.request.value)).toBe("värde");
    expect(command.request.lease).toBe(2n ** 63n - 1n);
  });

  test("write each command into bytes of its own, also after one that cannot be written", () => {
    const first = encodeCommand("put", PutRequest.fromPartial({ key: utf8("first") }), 1n);
    const before = hex(first);
    expect(() => encodeCommand("put", PutRequest.fromPartial({ key: utf8("lost"), lease: 2n ** 64n }), 2n)).toThrow();
    const second = encodeCommand("put", PutRequest.fromPartial({ key: utf8("second") }), 3n);
    expect(hex(first)).toBe(before);
    expect(decodeCommand(second)).toMatchObject({ id: 3n, request: { key: utf8("second") } });
  });

  test("leave commands of later versions unread, so that every member skips them alike", () => {
    expect(decodeCommand(bytes("e2aa0400 a206020801"))).toBeUndefined();
  });

  test.each([
    ["put", PutRequest.encode(PutRequest.fromPartial({ key: utf8("k"), value: utf8("v"), lease: 7n })).finish()],
    ["put", PutRequest.encode(PutRequest.fromPartial({ key: utf8("k"), value: new Uint8Array(300) })).finish()],
    ["txn", TxnRequest.encode(txn).finish()],
  ] as const)("take the bytes that a %s came in, with the same result", (kind, received) => {
    const codec = kind === "put" ? PutRequest : TxnRequest;
    const id = 2n ** 63n + 5n;
    const request = decodeReceived<PutRequest | TxnRequest>(codec, received);
    expect(receivedBytes(request)).toBe(received);
    const entry = encodeCommand(kind, request as never, id);
    expect(hex(entry)).toBe(hex(encodeCommand(kind, codec.decode(received) as never, id)));
    expect(knownCommand(kind, request as never, id, nobody)).toEqual(decodeCommand(entry));
  });

  test("write a request anew if its caller is known, or if its bytes are not plain", () => {
    const plain = PutRequest.encode(PutRequest.fromPartial({ key: utf8("k") })).finish();
    const caller = { username: "u1", authRevision: 7 };
    const request = decodeReceived(PutRequest, plain);
    expect(decodeCommand(encodeCommand("put", request, 1n, { caller }))).toMatchObject({ id: 1n, caller });
    expect(knownCommand("put", request, 1n, caller)).toBeUndefined();
    const odd = decodeReceived(PutRequest, bytes("12017a0a016b"));
    expect(hex(encodeCommand("put", odd, 1n))).toBe("22060a016b12017aa206020801");
    expect(knownCommand("put", odd, 1n, nobody)).toBeUndefined();
  });
});
