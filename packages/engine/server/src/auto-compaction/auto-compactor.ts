import type { Clock, Scheduler, Timer } from "@conclave/base";
import { WireError } from "@conclave/protocol";
import type { Log } from "../log.ts";
import type { Member } from "../member.ts";
import { startPeriodic } from "../periodic.ts";
import { type CompactionPolicy, createCompactionPolicy } from "./compaction-policy.ts";
import type { Retention } from "./retention.ts";

/** What the auto-compactor looks at and does. */
export interface AutoCompactorPorts {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  /** Whether this member leads: the others only take note of revisions, and so are ready to take over. */
  readonly isLeader: () => boolean;
  /** The newest revision. */
  readonly revision: () => number;
  /** Has the log compact at a revision. */
  readonly compact: (revision: number) => Promise<unknown>;
  readonly log: Log;
}

/** Compacts the history by itself, on the leader. */
export class AutoCompactor {
  readonly #ports: AutoCompactorPorts;
  readonly #policy: CompactionPolicy;
  #compacting = false;

  constructor(retention: Retention, ports: AutoCompactorPorts) {
    this.#ports = ports;
    const moment = { nowMs: ports.clock.monotonicMs(), revision: ports.revision() };
    this.#policy = createCompactionPolicy(retention, moment);
  }

  /** Begins to look; cancelling the timer ends that. */
  start(): Timer {
    const { clock, scheduler } = this.#ports;
    return startPeriodic({ clock, scheduler, intervalMs: this.#policy.intervalMs, run: () => void this.#look() });
  }

  async #look(): Promise<void> {
    const { clock, revision, isLeader } = this.#ports;
    const moment = { nowMs: clock.monotonicMs(), revision: revision() };
    const target = this.#policy.next(moment, this.#compacting || !isLeader());
    if (target !== undefined) await this.#compact(target);
  }

  async #compact(revision: number): Promise<void> {
    const { clock, compact, log } = this.#ports;
    this.#compacting = true;
    try {
      if (!(await wasCompacted(compact(revision)))) log.info("the history was compacted already", { revision });
      else log.info("compacted the history", { revision });
      this.#policy.onCompacted(revision, clock.monotonicMs());
    } catch (error) {
      log.warn("the history was not compacted; the next look is another attempt", { revision, error: String(error) });
    } finally {
      this.#compacting = false;
    }
  }
}

/** Whether a compaction took place; false if the history had been compacted further before. */
async function wasCompacted(compaction: Promise<unknown>): Promise<boolean> {
  try {
    await compaction;
    return true;
  } catch (error) {
    if (error instanceof WireError && error.code === "Compacted") return false;
    throw error;
  }
}

/** Creates the auto-compactor of a member. */
export function createAutoCompactor(retention: Retention, member: Member): AutoCompactor {
  const { clock, scheduler, log } = member.ports;
  return new AutoCompactor(retention, {
    ...{ clock, scheduler, log },
    isLeader: () => member.isConfirmedLeader,
    revision: () => member.store.currentRevision,
    compact: (revision) => member.propose("compaction", { revision: BigInt(revision), physical: false }),
  });
}
