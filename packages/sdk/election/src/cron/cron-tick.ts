/** @module The last tick of a cron, as the store keeps it: whoever leads goes on from there. */
import { ConclaveError, type KeyValue } from "@conclave/client";
import * as z from "zod";

/**
 * What became of a tick: its job runs, or its runner died over it (`running`); it has ended; it has thrown; nobody could
 * run it in time; or it is no tick but the time at which the cron was first tended (`begun`).
 */
export type CronTickState = "begun" | "running" | "done" | "failed" | "dropped";

/** The last tick of a cron. */
export interface CronTick {
  /** When it was due. */
  readonly tick: Date;
  /** What became of it. */
  readonly state: CronTickState;
  /** The fence of the leader that dealt with it. */
  readonly fence: number;
}

/** A tick with the revision that wrote it down. */
export interface StoredTick extends CronTick {
  /** The revision. */
  readonly revision: number;
}

const tickSchema = z.object({
  tick: z.iso.datetime(),
  state: z.enum(["begun", "running", "done", "failed", "dropped"]),
  fence: z.number().int(),
});

/** What the store keeps. */
export function formatTick({ tick, state, fence }: CronTick): string {
  return JSON.stringify({ tick: tick.toISOString(), state, fence });
}

/** @throws ConclaveError `DATA_LOSS` if somebody else has written there */
export function parseTick({ keyString, valueString, modRevision }: KeyValue): StoredTick {
  try {
    const { tick, state, fence } = tickSchema.parse(JSON.parse(valueString));
    return { tick: new Date(tick), state, fence, revision: modRevision };
  } catch (cause) {
    throw new ConclaveError("DATA_LOSS", `The key "${keyString}" does not hold the last tick of a cron`, { cause });
  }
}
