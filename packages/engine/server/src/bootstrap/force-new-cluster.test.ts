import { emptyBytes, utf8, utf8Text } from "@conclave/base";
import { type ConfChange, type ConfState, confChangeOf, type Entry, encodeConfChange } from "@conclave/raft";
import { describe, expect, test } from "vitest";
import { type FoundLog, standaloneLog } from "./force-new-cluster.ts";

const survivor = { id: 2n, name: "two", peerUrls: ["http://two:1"] };
const members: ConfState = {
  voters: [1n, 2n, 3n],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

function command(index: number): Entry {
  return { type: "normal", term: 4, index, data: utf8(`command ${index}`) };
}

function change(index: number, type: ConfChange["type"], nodeId: bigint): Entry {
  const data = encodeConfChange({ id: 1n, type, nodeId, context: emptyBytes });
  return { type: "confChange", term: 4, index, data };
}

function log(more: Partial<FoundLog> = {}): FoundLog {
  const hardState = { term: 5, vote: 3n, commit: 12 };
  return { hardState, entries: [11, 12, 13, 14].map(command), applied: 11, confState: members, ...more };
}

function changesOf(entries: readonly Entry[]): string[] {
  return entries.map((entry) => {
    const found = confChangeOf(entry) as ConfChange;
    return `${entry.index} ${found.type} ${found.nodeId} ${utf8Text(found.context)}`.trim();
  });
}

describe("standaloneLog()", () => {
  test("drops what was not committed and takes everybody else out, as committed", () => {
    const { hardState, entries, appended } = standaloneLog(log(), survivor);
    expect(changesOf(appended)).toEqual(["13 removeNode 1", "14 removeNode 3"]);
    expect(appended.every(({ term }) => term === 5)).toBe(true);
    expect(entries).toEqual([command(11), command(12), ...appended]);
    expect(hardState).toEqual({ term: 5, vote: 3n, commit: 14 });
  });

  test("counts the changes that were committed and not yet applied", () => {
    const entries = [change(11, "addNode", 8n), change(12, "removeNode", 1n), change(13, "addNode", 4n)];
    const { appended } = standaloneLog(log({ entries, applied: 10 }), survivor);
    expect(changesOf(appended)).toEqual(["13 removeNode 3", "14 removeNode 8"]);
  });

  test("does not count again what the store holds", () => {
    const entries = [change(11, "addNode", 8n), command(12)];
    const { appended } = standaloneLog(log({ entries, applied: 11 }), survivor);
    expect(changesOf(appended)).toEqual(["13 removeNode 1", "14 removeNode 3"]);
  });

  test("takes learners out, and gives this member its vote if it was one", () => {
    const confState = { ...members, voters: [1n], learners: [2n, 3n] };
    expect(changesOf(standaloneLog(log({ confState }), survivor).appended)).toEqual([
      '13 addNode 2 {"id":2,"peerURLs":null,"isPromote":true}',
      "14 removeNode 1",
      "15 removeNode 3",
    ]);
  });

  test("adds this member if the log does not have it yet", () => {
    const confState = { ...members, voters: [1n] };
    expect(changesOf(standaloneLog(log({ confState }), survivor).appended)).toEqual([
      '13 addNode 2 {"id":2,"peerURLs":["http://two:1"],"name":"two"}',
      "14 removeNode 1",
    ]);
  });

  test("changes nothing for a member that is alone already", () => {
    const confState = { ...members, voters: [2n] };
    const { hardState, entries, appended } = standaloneLog(log({ confState }), survivor);
    expect(appended).toEqual([]);
    expect(hardState.commit).toBe(12);
    expect(entries).toEqual([command(11), command(12)]);
  });
});
