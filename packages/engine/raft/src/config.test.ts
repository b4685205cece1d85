import { describe, expect, test } from "vitest";
import { type RaftConfig, resolveConfig } from "./config.ts";
import { RaftError } from "./errors.ts";
import { MemoryLogStorage } from "./memory-log-storage.ts";
import { createRawNode } from "./raw-node.ts";
import type { Entry } from "./types.ts";

function config(part: Partial<RaftConfig>): RaftConfig {
  const random = { below: () => 0 };
  return { id: 1n, electionTicks: 10, heartbeatTicks: 1, storage: new MemoryLogStorage(), random, ...part };
}

const entries: readonly Entry[] = [1, 2, 3].map((index) => ({
  type: "normal",
  index,
  term: 1,
  data: new Uint8Array(),
}));

describe("the configuration of a node", () => {
  test("fills in etcd's defaults", () => {
    expect(resolveConfig(config({}))).toMatchObject({
      preVote: true,
      checkQuorum: true,
      forwardProposals: true,
      maxMessageBytes: 1_048_576,
      maxInflightMessages: 512,
    });
  });

  test.each<[string, Partial<RaftConfig>]>([
    ["'id'", { id: 0n }],
    ["'id'", { id: 2n ** 64n }],
    ["'electionTicks'", { electionTicks: 1 }],
    ["'electionTicks'", { electionTicks: 5, heartbeatTicks: 3 }],
    ["'heartbeatTicks'", { heartbeatTicks: 0 }],
    ["'maxMessageBytes'", { maxMessageBytes: 0 }],
    ["'maxInflightMessages'", { maxInflightMessages: 1.5 }],
    ["'maxUncommittedBytes'", { maxUncommittedBytes: Number.NaN }],
    ["'electionTicks'", { electionTicks: Number.POSITIVE_INFINITY }],
  ])("names %s when it is out of its bounds: %o", (name, part) => {
    expect(() => createRawNode(config(part))).toThrow(RangeError);
    expect(() => createRawNode(config(part))).toThrow(name);
  });

  test("lifts a limit that is set to Infinity", () => {
    expect(() => createRawNode(config({ maxUncommittedBytes: Number.POSITIVE_INFINITY }))).not.toThrow();
  });
});

describe("a restart from what cannot be", () => {
  test.each<[string, ConstructorParameters<typeof MemoryLogStorage>[0], number | undefined]>([
    ["a commit index after the log", { hardState: { term: 1, vote: 0n, commit: 4 }, entries }, undefined],
    ["an applied index after the commit index", { hardState: { term: 1, vote: 0n, commit: 2 }, entries }, 3],
    [
      "an applied index before the snapshot",
      {
        snapshot: {
          data: new Uint8Array(),
          metadata: {
            index: 2,
            term: 1,
            confState: { voters: [1n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false },
          },
        },
      },
      1,
    ],
  ])("is refused: %s", (_, options, applied) => {
    const storage = new MemoryLogStorage(options);
    const restart = (): unknown => createRawNode(config({ storage, ...(applied === undefined ? {} : { applied }) }));
    expect(restart).toThrow(RaftError);
    expect(restart).toThrow(expect.objectContaining({ code: "INCONSISTENT_STATE" }));
  });
});
