import { emptyBytes, utf8 } from "@conclave/base";
import * as raftpb from "@conclave/protocol/raftpb";
import { describe, expect, test } from "vitest";
import { createMessage, isLocalMessage, isResponse, malformation, maySendBeforeSave } from "./message.ts";
import { decodeRound, encodeRound } from "./read-only.ts";
import type { ConfState, MessageType, SnapshotMetadata } from "./types.ts";

const storageTypes = ["MsgStorageAppend", "MsgStorageAppendResp", "MsgStorageApply", "MsgStorageApplyResp"];
const types = Object.keys(raftpb.MessageType).filter((name) => !storageTypes.includes(name)) as MessageType[];

function message(type: MessageType) {
  return createMessage({ type, to: 2n, from: 1n }, {});
}

describe("messages", () => {
  test("have every field of raftpb.Message that travels", () => {
    const wire = raftpb.Message.fromPartial({});
    const fields = Object.keys(wire).filter((field) => field !== "vote" && field !== "responses");
    expect(Object.keys(message("MsgApp")).sort()).toEqual(fields.sort());
  });

  test("may go out before the disk is done only if they promise nothing that is on it (thesis §10.2.1)", () => {
    const early = types.filter((type) => maySendBeforeSave(message(type)));
    expect(early.sort()).toEqual([
      "MsgApp",
      "MsgHeartbeat",
      "MsgProp",
      "MsgReadIndex",
      "MsgReadIndexResp",
      "MsgSnap",
      "MsgTimeoutNow",
    ]);
  });

  test("are requests, answers or the member's own affair", () => {
    expect(types.filter(isLocalMessage).sort()).toEqual([
      "MsgBeat",
      "MsgCheckQuorum",
      "MsgForgetLeader",
      "MsgHup",
      "MsgSnapStatus",
      "MsgUnreachable",
    ]);
    expect(types.filter(isResponse).sort()).toEqual(types.filter((type) => type.endsWith("Resp")).sort());
  });
});

describe("a snapshot that comes from another member", () => {
  const confState: ConfState = { voters: [1n], learners: [2n], votersOutgoing: [], learnersNext: [], autoLeave: false };

  function flaw(metadata: Partial<SnapshotMetadata>): string | undefined {
    const snapshot = { data: emptyBytes, metadata: { index: 5, term: 1, confState, ...metadata } };
    return malformation(createMessage({ type: "MsgSnap", to: 2n, from: 1n }, { term: 1, snapshot }), 2n);
  }

  test("is taken if its place and membership can be", () => {
    expect(flaw({})).toBeUndefined();
  });

  test.each<[string, Partial<SnapshotMetadata>]>([
    ["index 0", { index: 0 }],
    ["index 0.5", { index: 0.5 }],
    ["term 0", { term: 0 }],
    ["term 2", { term: 2 }],
    ["learner 1 must not vote", { confState: { ...confState, learners: [1n] } }],
    ["only a joint configuration is left", { confState: { ...confState, autoLeave: true } }],
  ])("is malformed: %s", (words, metadata) => {
    expect(flaw(metadata)).toContain(words);
  });
});

describe("the name of a round of heartbeats", () => {
  test("comes back as it was", () => {
    for (const round of [1, 255, 2 ** 32, Number.MAX_SAFE_INTEGER]) expect(decodeRound(encodeRound(round))).toBe(round);
  });

  test("is 0 for what is no name", () => {
    expect(decodeRound(emptyBytes)).toBe(0);
    expect(decodeRound(utf8("123456789"))).toBe(0);
  });
});
