import { emptyBytes, setVerifying, utf8, utf8Text } from "@conclave/base";
import { describe, expect, test } from "vitest";
import { confChangeOf } from "./conf-change.ts";
import type { RaftConfig } from "./config.ts";
import { MemoryLogStorage, type MemoryLogStorageOptions } from "./memory-log-storage.ts";
import { createRawNode, type RawNode } from "./raw-node.ts";
import type { Ready } from "./ready.ts";
import type { Entry } from "./types.ts";

setVerifying(true);

interface Single {
  readonly node: RawNode;
  readonly storage: MemoryLogStorage;
  readonly applied: Entry[];
  /** Does one Ready as a shell does. */
  turn(): Ready;
  /** Does Readys until there are no more. */
  settle(): void;
}

function single(options: MemoryLogStorageOptions = {}, config: Partial<RaftConfig> = {}): Single {
  const storage = new MemoryLogStorage(options);
  const random = { below: () => 0 };
  const node = createRawNode({ id: 1n, electionTicks: 10, heartbeatTicks: 1, storage, random, ...config });
  const applied: Entry[] = [];
  const turn = (): Ready => {
    const ready = node.ready();
    storage.append(ready.entries);
    for (const entry of ready.committedEntries) {
      applied.push(entry);
      const change = confChangeOf(entry);
      if (change !== undefined) node.applyConfChange(change);
    }
    node.advance(ready);
    return ready;
  };
  const settle = (): void => {
    while (node.hasReady()) turn();
  };
  return { node, storage, applied, turn, settle };
}

function bootstrapped(config: Partial<RaftConfig> = {}): Single {
  const member = single({}, config);
  member.node.bootstrap([{ id: 1n, context: utf8("one") }]);
  member.settle();
  return member;
}

function leading(config: Partial<RaftConfig> = {}): Single {
  const member = bootstrapped(config);
  member.node.campaign();
  member.settle();
  return member;
}

describe("a cluster of one", () => {
  test("bootstrap() writes the membership as committed changes of term 1", () => {
    const member = bootstrapped();
    expect(member.applied.map(({ type, term, index }) => ({ type, term, index }))).toEqual([
      { type: "confChange", term: 1, index: 1 },
    ]);
    expect(member.node.confState.voters).toEqual([1n]);
    expect(member.node.status).toMatchObject({ term: 1, commit: 1, applied: 1, role: "follower" });
  });

  test("bootstrap() refuses a log that is not empty", () => {
    expect(() => bootstrapped().node.bootstrap([{ id: 1n, context: emptyBytes }])).toThrow(RangeError);
  });

  test("tick() elects the only voter after its election timeout, and not before", () => {
    const member = bootstrapped();
    for (let ticks = 0; ticks < 9; ticks++) member.node.tick();
    expect(member.node.hasReady()).toBe(false);
    member.node.tick();
    member.settle();
    expect(member.node.status).toMatchObject({ role: "leader", lead: 1n, term: 2, commit: 2 });
  });

  test("campaign() leads only after the vote for itself is durable", () => {
    const { node } = bootstrapped();
    node.campaign();
    const ready = node.ready();
    expect(ready.hardState).toEqual({ term: 2, vote: 1n, commit: 1 });
    expect(ready.mustSync).toBe(true);
    expect(node.status.role).toBe("candidate");
    node.advance(ready);
    expect(node.status.role).toBe("leader");
  });

  test("propose() commits an entry only after advance() said that it is durable", () => {
    const { node, storage, turn, applied } = leading();
    const result = node.propose(utf8("a"));
    expect(result).toEqual({ kind: "accepted", index: 3, term: 2 });
    const ready = node.ready();
    expect(ready.entries.map((entry) => entry.index)).toEqual([3]);
    expect(ready.committedEntries).toEqual([]);
    expect(node.status.commit).toBe(2);
    storage.append(ready.entries);
    node.advance(ready);
    expect(node.status.commit).toBe(3);
    turn();
    expect(applied.at(-1)).toMatchObject({ index: 3, data: utf8("a") });
  });

  test("advance() refuses entries that the storage was not given", () => {
    const { node } = leading();
    node.propose(utf8("a"));
    const ready = node.ready();
    expect(() => node.advance(ready)).toThrow("in the storage before it counts as stable");
  });

  test("ready() batches all that was proposed since the last one, without copying the data", () => {
    const { node } = leading();
    const commands = ["a", "b", "c"].map(utf8);
    for (const command of commands) node.propose(command);
    const { entries } = node.ready();
    expect(entries.map((entry) => entry.data)).toEqual(commands);
    expect(entries.every((entry, at) => entry.data === commands[at])).toBe(true);
  });

  test("propose() is taken while a Ready is outstanding and shows in the next one", () => {
    const { node, storage } = leading();
    node.propose(utf8("a"));
    const first = node.ready();
    node.propose(utf8("b"));
    expect(node.hasReady()).toBe(false);
    expect(() => node.ready()).toThrow("one Ready is outstanding");
    storage.append(first.entries);
    node.advance(first);
    const second = node.ready();
    expect(second.entries.map((entry) => utf8Text(entry.data))).toEqual(["b"]);
    expect(second.committedEntries.map((entry) => utf8Text(entry.data))).toEqual(["a"]);
    expect(first.entries).toHaveLength(1);
  });

  test("a commit alone need not be synced", () => {
    const { node, turn } = leading();
    node.propose(utf8("a"));
    expect(turn().mustSync).toBe(true);
    const ready = turn();
    expect(ready.hardState).toEqual({ term: 2, vote: 1n, commit: 3 });
    expect(ready.mustSync).toBe(false);
  });

  test("readIndex() is confirmed at once", () => {
    const { node } = leading();
    expect(node.readIndex(utf8("r"))).toEqual({ kind: "taken" });
    expect(node.ready().readStates).toEqual([{ index: 2, context: utf8("r") }]);
  });

  test("readIndex() waits for the first commit of the term", () => {
    const member = bootstrapped();
    member.node.campaign();
    member.turn();
    expect(member.node.status.role).toBe("leader");
    member.node.readIndex(utf8("r"));
    expect(member.turn().readStates).toEqual([]);
    expect(member.turn().readStates).toEqual([{ index: 2, context: utf8("r") }]);
  });

  test("proposals and reads without a leader are dropped", () => {
    const { node } = bootstrapped();
    expect(node.propose(utf8("a"))).toMatchObject({ kind: "dropped", reason: "noLeader" });
    expect(node.readIndex(utf8("r"))).toMatchObject({ kind: "dropped", reason: "noLeader" });
  });

  test("a restart goes on from hard state, entries, membership and applied index", () => {
    const before = leading();
    for (const command of ["a", "b"]) before.node.propose(utf8(command));
    before.settle();
    const { term, vote, commit } = before.node.status;
    const entries = before.storage.entries({ start: 1, end: 6 - 1 }, Number.POSITIVE_INFINITY) ?? [];
    const hardState = { term, vote, commit: commit - 1 };
    const after = single({ hardState, entries, confState: before.node.confState }, { applied: 2 });
    expect(after.node.status).toMatchObject({ term: 2, vote: 1n, commit: 3, applied: 2, role: "follower" });
    after.settle();
    expect(after.applied.map((entry) => utf8Text(entry.data))).toEqual(["a"]);
    after.node.campaign();
    after.settle();
    // What was durable and not known to be committed is committed with the new term's first entry.
    expect(after.applied.map((entry) => [entry.index, entry.term, utf8Text(entry.data)])).toEqual([
      [3, 2, "a"],
      [4, 2, "b"],
      [5, 3, ""],
    ]);
  });

  test("a membership change that is committed and not applied holds back the campaign", () => {
    const entries = leadingEntries();
    const member = single({ hardState: { term: 2, vote: 1n, commit: 2 }, entries });
    expect(member.node.campaign()).toMatchObject({ kind: "dropped", reason: "notMember" });
    member.settle();
    expect(member.node.campaign()).toEqual({ kind: "taken" });
  });

  test("the log goes on over a compaction", () => {
    const { node, storage, settle, applied } = leading();
    for (const command of ["a", "b", "c"]) node.propose(utf8(command));
    settle();
    storage.createSnapshot({ index: 4, confState: node.confState, data: utf8("state") });
    storage.compact(4);
    node.propose(utf8("d"));
    settle();
    expect(applied.at(-1)).toMatchObject({ index: 6, data: utf8("d") });
    expect(storage.firstIndex).toBe(5);
  });
});

function leadingEntries(): readonly Entry[] {
  const { storage } = leading();
  return storage.entries({ start: 1, end: storage.lastIndex + 1 }, Number.POSITIVE_INFINITY) ?? [];
}
