/** @module Bytes that a real etcd wrote into its log, and what the codecs make of them. */
import { describe, expect, it } from "vitest";
import { Metadata } from "./gen/etcdserverpb/etcdserver.ts";
import { InternalRaftRequest } from "./gen/etcdserverpb/raft_internal.ts";
import { PutRequest, RangeRequest, TxnRequest } from "./gen/etcdserverpb/rpc.ts";
import { KeyValue } from "./gen/mvccpb/kv.ts";
import { ConfState, Entry, HardState, SnapshotMetadata } from "./gen/raftpb/raft.ts";
import { Record, Snapshot } from "./gen/walpb/record.ts";

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const memberId = 0xe255a223fb1b8a6cn;
const clusterId = 0xbeb74b314241cf78n;
const requestId = BigInt("0x8a6ca1f863ca6505");
const header = { ID: requestId };

interface Example {
  readonly $type: string;
  readonly bytes: Uint8Array;
  readonly decoded: unknown;
  readonly expected: unknown;
  readonly encoded: Uint8Array;
}

/** A message, and the hex a real etcd writes for it. */
function example<Message>(
  codec: {
    readonly $type: string;
    encode(message: Message): { finish(): Uint8Array };
    decode(bytes: Uint8Array): Message;
    fromPartial(partial: never): Message;
  },
  hex: string,
  partial: object,
): Example {
  const message = codec.fromPartial(partial as never);
  const bytes = bytesOf(hex);
  return {
    $type: codec.$type,
    bytes,
    decoded: codec.decode(bytes),
    expected: message,
    encoded: codec.encode(message).finish(),
  };
}

function expectBothWays(each: Example): void {
  expect(Buffer.from(each.encoded).toString("hex")).toBe(Buffer.from(each.bytes).toString("hex"));
  expect(each.decoded).toEqual(each.expected);
}

describe("proto2 messages", () => {
  it.each([
    example(Record, "08041000", { type: 4, crc: 0 }),
    example(Record, "0801 10c0caa3fc08 1a16 08ec94eed8bfc4e8aae201 10f89e879294e6d2dbbe01", {
      type: 1,
      crc: 0x8f88e540,
      data: Metadata.encode({ NodeID: memberId, ClusterID: clusterId }).finish(),
    }),
    example(Snapshot, "08001000", { index: 0, term: 0 }),
    example(HardState, "080110001801", { term: 1, vote: 0n, commit: 1 }),
    example(HardState, "080010001800", { term: 0, vote: 0n, commit: 0 }),
    example(Entry, "080010021802", { Type: 0, Term: 2, Index: 2 }),
    example(SnapshotMetadata, "0a0d 08ec94eed8bfc4e8aae201 2800 1015 1802", {
      confState: { voters: [memberId], autoLeave: false },
      index: 21,
      term: 2,
    }),
  ])("write a field that is set, zero or not: $$type", expectBothWays);

  it("leave out what is not set", () => {
    expect(Entry.encode(Entry.fromPartial({})).finish()).toHaveLength(0);
    expect(Entry.decode(bytesOf(""))).toEqual(Entry.fromPartial({}));
  });

  it("read repeated ids packed as well", () => {
    expect(ConfState.decode(bytesOf("0a02 0102"))).toEqual(ConfState.decode(bytesOf("0801 0802")));
  });
});

describe("commands in the log", () => {
  const tail = "a2060b 0885caa99e86bfa8b68a01";
  it.each([
    example(InternalRaftRequest, `220a 0a03666f6f 1203626172 ${tail}`, {
      put: { key: utf8("foo"), value: utf8("bar") },
      header,
    }),
    example(InternalRaftRequest, `2a0a 0a036b6579 12036b657a ${tail}`, {
      deleteRange: { key: utf8("key"), rangeEnd: utf8("kez") },
      header,
    }),
    example(InternalRaftRequest, `3a02080a ${tail}`, { compaction: { revision: 10n }, header }),
    example(InternalRaftRequest, `4205 08901c 100a ${tail}`, { leaseGrant: { TTL: 3600n, ID: 10n }, header }),
    example(InternalRaftRequest, `5206 0801100c1801 ${tail}`, {
      alarm: { action: 1, memberID: 12n, alarm: 1 },
      header,
    }),
    example(InternalRaftRequest, `5200 ${tail}`, { alarm: {}, header }),
    example(InternalRaftRequest, `${tail} c23e00`, { header, authEnable: {} }),
    example(InternalRaftRequest, `${tail} 824b04 0a027231`, { header, authRoleAdd: { name: "r1" } }),
    example(InternalRaftRequest, `${tail} b25100`, { header, downgradeInfoSet: {} }),
  ])("keep the order of numbers and the empty message that is set: $bytes.length bytes", expectBothWays);
});

describe("proto3 messages", () => {
  it("leave zeros out", () => {
    expectBothWays(
      example(KeyValue, "0a03666f6f 1002 1802 2001 2a03626172", {
        key: utf8("foo"),
        createRevision: 2,
        modRevision: 2,
        version: 1,
        value: utf8("bar"),
      }),
    );
  });

  it.each([2n ** 63n - 1n, 2n ** 53n + 1n, -1n, -(2n ** 63n)])("take any 64-bit scalar of a request: %d", (scalar) => {
    const range = RangeRequest.fromPartial({ limit: scalar, revision: scalar, maxModRevision: scalar });
    expect(RangeRequest.decode(RangeRequest.encode(range).finish())).toEqual(range);
    const put = PutRequest.fromPartial({ lease: scalar });
    expect(PutRequest.decode(PutRequest.encode(put).finish())).toEqual(put);
    const txn = TxnRequest.fromPartial({ compare: [{ targetUnion: { $case: "modRevision", value: scalar } }] });
    expect(TxnRequest.decode(TxnRequest.encode(txn).finish())).toEqual(txn);
  });
});
