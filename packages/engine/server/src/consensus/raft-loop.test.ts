import type { Scheduler } from "@conclave/base";
import { createRawNode, type Entry, MemoryLogStorage, type Message, type RawNode, type Snapshot } from "@conclave/raft";
import type { Wal } from "@conclave/wal";
import { describe, expect, test } from "vitest";
import { RaftLoop } from "./raft-loop.ts";

const members = [1n, 2n, 3n];
const confState = { voters: members, learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

/** A member whose disk takes as long as the test wants, and a record of what it did in which order. */
function setUp({ hardState = { term: 1, vote: 0n, commit: 0 } } = {}) {
  const done: string[] = [];
  const syncs: (() => void)[] = [];
  let failure: unknown;
  const log = new MemoryLogStorage({ hardState, confState });
  const node: RawNode = createRawNode({
    ...{ id: 1n, electionTicks: 10, heartbeatTicks: 1, storage: log, preVote: false },
    random: { below: () => 0 },
  });
  const scheduler: Scheduler = { after: () => ({ cancel() {} }), atTurnEnd: (task) => void setImmediate(task) };
  const save = (what: string): Promise<void> => {
    done.push(what);
    return new Promise((resolve) => syncs.push(resolve));
  };
  const wal = {
    save: (state: unknown, entries: readonly Entry[]) =>
      save(`save ${state === undefined ? "" : "state"}+${entries.length}`),
    saveSnapshot: ({ index }: { index: number }) => save(`save snapshot ${index}`),
  } as unknown as Wal;
  const loop = new RaftLoop({
    ...{ node, log, wal, scheduler },
    send: (messages) => done.push(...messages.map(({ type, to }) => `send ${type} to ${to}`)),
    install: async ({ metadata }: Snapshot) => void done.push(`install ${metadata.index}`),
    apply: (entries) => void done.push(`apply ${entries.map(({ index }) => index).join()}`),
    onReadState: () => {},
    onSoftState: () => {},
    onFailure: (error) => {
      failure = error;
    },
  });
  const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  const take = async (): Promise<string[]> => {
    await turn();
    return done.splice(0);
  };
  const finishSync = (): void => syncs.shift()?.();
  return { loop, take, finishSync, failure: () => failure };
}

function message(fields: Partial<Message> & Pick<Message, "type" | "from" | "term">): Message {
  const empty = new Uint8Array();
  return {
    ...{ to: 1n, logTerm: 0, index: 0, entries: [], commit: 0, reject: false, rejectHint: 0, context: empty },
    ...fields,
  };
}

const entry = (index: number, term: number): Entry => ({ type: "normal", term, index, data: new Uint8Array([1]) });

describe("RaftLoop", () => {
  test("asks for votes only once its own is on the disk", async () => {
    const { loop, take, finishSync } = setUp();
    loop.campaign();
    expect(await take()).toEqual(["save state+0"]);
    finishSync();
    expect(await take()).toEqual(["send MsgVote to 2", "send MsgVote to 3"]);
  });

  test("acknowledges entries only once they are on the disk", async () => {
    const { loop, take, finishSync } = setUp();
    loop.step(message({ type: "MsgApp", from: 2n, term: 1, entries: [entry(1, 1)] }));
    expect(await take()).toEqual(["save +1"]);
    finishSync();
    expect(await take()).toEqual(["send MsgAppResp to 2"]);
  });

  test("as leader lets the others work while its own disk does, and applies what a quorum has only when it has it too", async () => {
    const { loop, take, finishSync } = setUp();
    loop.campaign();
    await take();
    finishSync();
    await take();
    loop.step(message({ type: "MsgVoteResp", from: 2n, term: 2 }));
    expect(await take()).toEqual(["send MsgApp to 2", "send MsgApp to 3", "save +1"]);
    loop.step(message({ type: "MsgAppResp", from: 2n, term: 2, index: 1 }));
    loop.step(message({ type: "MsgAppResp", from: 3n, term: 2, index: 1 }));
    expect(await take()).toEqual([]);
    finishSync();
    // The entry is on the disk; that it is committed need not be.
    expect(await take()).toEqual(["send MsgApp to 2", "send MsgApp to 3", "save state+0", "apply 1"]);
  });

  test("records a snapshot before the state that commits it, installs it, and then applies what follows", async () => {
    const { loop, take, finishSync } = setUp();
    const snapshot = { data: new Uint8Array([1]), metadata: { index: 5, term: 1, confState } };
    loop.step(message({ type: "MsgSnap", from: 2n, term: 1, snapshot }));
    loop.step(message({ type: "MsgApp", from: 2n, term: 1, index: 5, logTerm: 1, entries: [entry(6, 1)], commit: 6 }));
    expect(await take()).toEqual(["save snapshot 5"]);
    finishSync();
    expect(await take()).toEqual(["save state+1"]);
    finishSync();
    expect(await take()).toEqual(["send MsgAppResp to 2", "send MsgAppResp to 2", "install 5", "save +0", "apply 6"]);
  });

  test("takes all that is proposed in one turn to the disk at once", async () => {
    const { loop, take, finishSync } = setUp();
    loop.campaign();
    await take();
    finishSync();
    await take();
    loop.step(message({ type: "MsgVoteResp", from: 2n, term: 2 }));
    await take();
    finishSync();
    await take();
    for (let at = 0; at < 100; at++) loop.propose(new Uint8Array([at]));
    expect((await take()).filter((each) => each.startsWith("save"))).toEqual(["save +100"]);
  });
});
