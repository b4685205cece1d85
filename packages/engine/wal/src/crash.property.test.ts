/**
 * @module Cuts the power at random moments while a log is written, on a disk that loses or tears what was not synced,
 * and checks after each restart that everything that was acknowledged is there.
 */
import { equalBytes } from "@conclave/base";
import type { ConfState, Entry, HardState } from "@conclave/raft";
import {
  type DiskCall,
  type SimulatedDisk,
  type SyncCall,
  simulatedDisk,
  type Tear,
  type VirtualTime,
  virtualTime,
  withoutSync,
} from "@conclave/testkit";
import { describe, expect, it } from "vitest";
import { createWal, type FileSystem, type OpenedWal, openWal, type Wal, WalError } from "./index.ts";

const directory = "/wal";
const metadata = Uint8Array.of(8, 1, 16, 2);
const segmentBytes = 8_192;
const confState: ConfState = { voters: [1n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

/** The log as a plain list of what was saved: the simplest thing a log can be compared with. */
type Saved = { readonly entry: Entry } | { readonly hardState: HardState };

interface History {
  readonly saved: Saved[];
  /** How many of them were acknowledged as durable. */
  durable: number;
}

interface Content {
  readonly entries: readonly Entry[];
  readonly hardState: HardState;
}

/** What a log of the first `count` of what was saved says. */
function contentOf({ saved }: History, count: number): Content {
  const entries: Entry[] = [];
  let hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  for (const item of saved.slice(0, count)) {
    if ("hardState" in item) hardState = item.hardState;
    else {
      entries.length = item.entry.index - 1;
      entries.push(item.entry);
    }
  }
  return { entries, hardState };
}

/** How much of the history a log that was read back holds, or undefined if it is not all that was acknowledged. */
function matchingLength(history: History, read: Content): number | undefined {
  for (let count = history.saved.length; count >= history.durable; count--)
    if (sameContent(contentOf(history, count), read)) return count;
  return undefined;
}

function sameContent(left: Content, right: Content): boolean {
  return (
    left.hardState.term === right.hardState.term &&
    left.hardState.vote === right.hardState.vote &&
    left.hardState.commit === right.hardState.commit &&
    left.entries.length === right.entries.length &&
    left.entries.every((entry, at) => {
      const other = right.entries[at];
      return other?.index === entry.index && other.term === entry.term && equalBytes(other.data, entry.data);
    })
  );
}

/** A member that saves at random, as Raft might have it. */
class Writer {
  readonly #wal: Wal;
  readonly #time: VirtualTime;
  readonly #history: History;
  #hardState: HardState;
  #lastIndex: number;
  #failed = false;

  constructor(wal: Wal, time: VirtualTime, history: History) {
    this.#wal = wal;
    this.#time = time;
    this.#history = history;
    const { entries, hardState } = contentOf(history, history.saved.length);
    this.#hardState = hardState;
    this.#lastIndex = entries.length;
  }

  /** Saves now and then until the disk fails. */
  start(): void {
    const { random } = this.#time;
    this.#time.after(random.below(4), () => {
      for (let save = random.below(3); save >= 0; save--) void this.#save();
      if (!this.#failed) this.start();
    });
  }

  async #save(): Promise<void> {
    const { random } = this.#time;
    const { saved } = this.#history;
    const newTerm = random.below(8) === 0;
    if (newTerm) {
      this.#hardState = { ...this.#hardState, term: this.#hardState.term + 1, vote: BigInt(random.below(3)) };
      // A new leader may overrule what was not committed.
      this.#lastIndex -= random.below(this.#lastIndex - this.#hardState.commit + 1);
    }
    if (this.#hardState.term === 0) return;
    const entries = Array.from({ length: random.below(4) }, () => this.#entry());
    const commit = this.#hardState.commit + random.below(this.#lastIndex - this.#hardState.commit + 1);
    this.#hardState = { ...this.#hardState, commit };
    saved.push(...entries.map((entry) => ({ entry })), { hardState: this.#hardState });
    const length = saved.length;
    const isDurable = entries.length > 0 || newTerm;
    const snapshot = { index: commit, term: this.#hardState.term, confState };
    try {
      await this.#wal.save(this.#hardState, entries);
      if (isDurable) this.#history.durable = Math.max(this.#history.durable, length);
      if (random.below(10) > 0 || commit === 0) return;
      await this.#wal.saveSnapshot(snapshot);
      this.#history.durable = Math.max(this.#history.durable, length);
    } catch (error) {
      if (!(error instanceof WalError)) throw error;
      this.#failed = true;
    }
  }

  #entry(): Entry {
    const { random } = this.#time;
    this.#lastIndex++;
    const data = random.bytes(random.below(6) === 0 ? random.below(2_000) : random.below(40));
    return { type: "normal", term: this.#hardState.term, index: this.#lastIndex, data };
  }
}

interface Run {
  /** What was lost, or why the log could not be opened; undefined if nothing is wrong. */
  readonly problem: string | undefined;
  /** How many times the log was opened after a crash. */
  readonly restarts: number;
  /** How many saves were known to be durable. */
  readonly durable: number;
}

/** Writes, crashes and opens again, several times over. */
async function run(seed: number, tear: Tear, wrap: (disk: FileSystem) => FileSystem = (disk) => disk): Promise<Run> {
  const time = virtualTime(seed);
  const { random } = time;
  let disk: SimulatedDisk = simulatedDisk({ random, scheduler: time, latencyMs: () => random.below(3) });
  let wal = await time.complete(createWal({ fileSystem: wrap(disk), directory, metadata, segmentBytes }));
  let history: History = { saved: [], durable: 0 };
  let durable = 0;
  for (let restarts = 1; restarts <= 3; restarts++) {
    new Writer(wal, time, history).start();
    await time.advance(random.below(150));
    disk = disk.crash({ tear });
    const opened = await openAfterCrash(time, wrap(disk));
    if (typeof opened === "string") return { problem: opened, restarts, durable };
    const length = matchingLength(history, opened);
    if (length === undefined) return { problem: "lost an acknowledged save", restarts, durable };
    durable += history.durable;
    history = { saved: history.saved.slice(0, length), durable: length };
    wal = opened.wal;
  }
  return { problem: undefined, restarts: 3, durable };
}

async function openAfterCrash(time: VirtualTime, fileSystem: FileSystem): Promise<OpenedWal | string> {
  try {
    return await time.complete(openWal({ fileSystem, directory, segmentBytes }));
  } catch (error) {
    if (error instanceof WalError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

const runs = Number(process.env.CRASH_RUNS ?? 40);
const firstSeed = Number(process.env.SEED ?? 1);
const seeds = Array.from({ length: runs }, (_, at) => firstSeed + at);

describe("after a power failure", { timeout: 120_000 }, () => {
  it.each<Tear>(["drop", "keep", "cut", "tear"])("the log holds every acknowledged save (%s)", async (tear) => {
    let durable = 0;
    for (const seed of seeds) {
      const result = await run(seed, tear);
      expect(result.problem, `SEED=${seed}`).toBeUndefined();
      durable += result.durable;
    }
    expect(durable).toBeGreaterThan(runs * 20);
  });

  it("that tears commit indexes which were written without a sync, the log holds what was acknowledged", async () => {
    const manyCommits = 12_000;
    for (const seed of seeds) {
      const time = virtualTime(seed);
      const latencyMs = (call: DiskCall) => (call === "sync" ? 5 : 0);
      const disk = simulatedDisk({ random: time.random, scheduler: time, latencyMs });
      const wal = await time.complete(createWal({ fileSystem: disk, directory, metadata }));
      const entry = (index: number): Entry => ({ type: "normal", term: 1, index, data: time.random.bytes(700) });
      const saved = [entry(1), entry(2), entry(3)];
      await time.complete(wal.save({ term: 1, vote: 1n, commit: 0 }, saved));
      for (let commit = 0; commit < manyCommits; commit++)
        await wal.save({ term: 1, vote: 1n, commit: commit % 4 }, []);
      expect(disk.calls.write).toBeGreaterThan(4); // More than the batch of entries, which zeroes ahead, and the head.
      wal.save(undefined, [entry(4), entry(5)]).catch(() => {}); // The power fails during its sync.
      await time.advance(1);
      const after = disk.crash({ tear: "tear" });
      const { entries } = await time.complete(openWal({ fileSystem: after, directory }));
      expect(entries.slice(0, 3), `SEED=${seed}`).toEqual(saved);
    }
  });

  it.each<SyncCall>(["dataSync", "sync", "syncDirectory"])(
    "a log that forgot %s() is found to have lost something",
    async (skipped) => {
      for (const seed of seeds) {
        const { problem } = await run(seed, "drop", (disk) => withoutSync(disk, [skipped]));
        if (problem !== undefined) return;
      }
      expect.fail(`${runs} runs without ${skipped}() and nothing was lost`);
    },
  );

  it("runs the same for the same seed", async () => {
    expect(await run(firstSeed, "tear")).toEqual(await run(firstSeed, "tear"));
  });
});
