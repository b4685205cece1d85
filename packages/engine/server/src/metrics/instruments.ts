/** @module What is measured where it happens: at the disk, and where commands are applied. All plain numbers. */
import { exponentialBounds, Histogram } from "@conclave/base";
import type { ApplyMeter } from "../apply/applier.ts";
import type { CommandKind } from "../apply/commands.ts";

/** From 1 ms to 8 s, as etcd's for the disk. */
const diskBounds = exponentialBounds({ start: 0.001, factor: 2, count: 14 });

/** From 0.1 ms to 52 s, as etcd's for applying. */
const applyBounds = exponentialBounds({ start: 0.0001, factor: 2, count: 20 });

/** From when on applying is slow, and who is told of it. */
export interface ApplyWatch {
  /** Longest time that a command takes to apply as a rule, in milliseconds. */
  readonly slowApplyMs: number;
  /** Is told of one that took longer. */
  readonly onSlowApply: (kind: CommandKind, tookMs: number) => void;
}

/** How long commands took to apply, by what they were and how they ended. */
export class ApplyTimes implements ApplyMeter {
  /** In seconds, of commands that succeeded and of those that failed. */
  readonly byOutcome: Readonly<Record<"true" | "false", Map<CommandKind, Histogram>>> = {
    true: new Map(),
    false: new Map(),
  };
  /** Commands that took very long. */
  slow = 0;
  readonly #watch: ApplyWatch;
  #startMs = 0;

  constructor(watch: ApplyWatch) {
    this.#watch = watch;
  }

  begin(): void {
    this.#startMs = performance.now();
  }

  end(kind: CommandKind, succeeded: boolean): void {
    const tookMs = performance.now() - this.#startMs;
    if (tookMs > this.#watch.slowApplyMs) {
      this.slow++;
      this.#watch.onSlowApply(kind, tookMs);
    }
    this.#timesOf(kind, succeeded).observe(tookMs / 1000);
  }

  #timesOf(kind: CommandKind, succeeded: boolean): Histogram {
    const byKind = this.byOutcome[`${succeeded}`];
    let times = byKind.get(kind);
    if (times === undefined) {
      times = new Histogram(applyBounds);
      byKind.set(kind, times);
    }
    return times;
  }
}

/** The instruments of one member. Durations are in seconds. */
export interface Instruments {
  /** Syncs of the log. */
  readonly walSync: Histogram;
  /** Writes of the log. */
  readonly walWrite: Histogram;
  /** Syncs of received snapshots. */
  readonly snapshotSync: Histogram;
  /** Times from the first byte of a received snapshot until it was durable. */
  readonly snapshotSave: Histogram;
  /** Commits of the store. */
  readonly commit: Histogram;
  /** Defragmentations of the store. */
  readonly defragment: Histogram;
  /** Times that a view of the store was kept open, mostly for a snapshot. */
  readonly view: Histogram;
  /** Commands applied. */
  readonly apply: ApplyTimes;
  /** What is counted without a duration. */
  readonly counts: {
    /** Bytes written to the log. */
    walBytes: number;
    /** Views of the store that are open. */
    openViews: number;
    /** Whether the store is being defragmented. */
    defragmenting: number;
  };
}

/** Creates instruments that have measured nothing. */
export function createInstruments(watch: ApplyWatch): Instruments {
  return {
    walSync: new Histogram(diskBounds),
    walWrite: new Histogram(diskBounds),
    snapshotSync: new Histogram(diskBounds),
    snapshotSave: new Histogram(exponentialBounds({ start: 0.1, factor: 2, count: 10 })),
    commit: new Histogram(diskBounds),
    defragment: new Histogram(exponentialBounds({ start: 0.1, factor: 2, count: 13 })),
    view: new Histogram(exponentialBounds({ start: 0.01, factor: 2, count: 17 })),
    apply: new ApplyTimes(watch),
    counts: { walBytes: 0, openViews: 0, defragmenting: 0 },
  };
}

/** Measures work, in seconds, however it ends. */
export async function timed<R>(times: Histogram, work: () => Promise<R>): Promise<R> {
  const startMs = performance.now();
  try {
    return await work();
  } finally {
    times.observe((performance.now() - startMs) / 1000);
  }
}
