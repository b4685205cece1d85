/**
 * @module Running something at its times once in the whole cluster. Whoever leads the cron's election tends it. Before a
 * tick is run it is written down in a transaction that holds only while its writer leads and nobody has written down a
 * later one, so a tick is begun by one process at most, whatever fails.
 */
import {
  type CallOptions,
  type ClientView,
  ConclaveError,
  compare,
  type EventSource,
  fullJitterMs,
  IsolatedEmitter,
  isConclaveError,
  op,
  sleep,
  warnOfHandlerError,
} from "@conclave/client";
import * as z from "zod";
import { createElection, type Election, type ElectionOptions } from "../election.ts";
import type { LeaderTerm, LeadOptions } from "../leader-term.ts";
import { type CronTick, type CronTickState, formatTick, parseTick, type StoredTick } from "./cron-tick.ts";
import { parseSchedule, type Schedule } from "./schedule.ts";

/** When a cron is due, and what becomes of the ticks that nobody ran in time. */
export interface CronOptions extends ElectionOptions {
  /**
   * A cron expression of five fields, or of six with seconds first, as in `"30 4 * * *"` or with the extensions that the
   * library `croner` understands.
   */
  readonly schedule: string;
  /** The time zone of the expression, such as `"Europe/Berlin"`. Default: `"UTC"`. */
  readonly timezone?: string | undefined;
  /**
   * What to do with ticks that have passed while nobody could run them, or while the tick before was still running.
   * `"skip"`: run the latest if it is no older than `graceMs`, drop the others. `"once"`: run the latest, however old, in
   * place of all. `"all"`: run each in its order, at most `missedMax`. Default: `"skip"`.
   */
  readonly missed?: "skip" | "once" | "all" | undefined;
  /**
   * How late a tick may begin under `"skip"`, in milliseconds. Should be above the time to live, so that a tick survives
   * the death of the leader that would have run it. Default: 30 000.
   */
  readonly graceMs?: number | undefined;
  /** How many missed ticks `"all"` runs, the latest, from 1. Default: 100. */
  readonly missedMax?: number | undefined;
  /**
   * What to do with a tick whose runner has died or lost its leadership over it: `"skip"` it, so that no tick is begun
   * twice, or `"rerun"` it, so that each is finished if it ever can be; its first runner may still be at it then, and what
   * it writes must be held to `fence`. Default: `"skip"`.
   */
  readonly interrupted?: "skip" | "rerun" | undefined;
}

/** One run of a cron's job. */
export interface CronRun extends Pick<LeaderTerm, "fence" | "held" | "signal" | "guard" | "txn"> {
  /** When it was due. */
  readonly tick: Date;
}

/** What a cron runs. What it throws is told by the event `failed`, and the cron goes on. */
export type CronJob = (run: CronRun) => Promise<void>;

/** How this process takes part in a cron. */
export type CronRunOptions = Pick<LeadOptions, "value" | "id" | "priority" | "signal" | "drainMs">;

/** What happens in this process. */
export type CronEvents = {
  /** A tick is run. */
  started: [tick: Date];
  /** Its job has ended. */
  finished: [tick: Date];
  /** Its job has thrown. */
  failed: [tick: Date, error: unknown];
  /** Missed ticks are not run; this is the latest of them. */
  dropped: [tick: Date];
  /** A tick of an earlier leader did not come to its end. */
  interrupted: [tick: Date];
  /** The store could not be reached; it is tried again. */
  storeFailed: [error: ConclaveError];
};

/** Something that is run at its times, by one process of all that take part. */
export interface Cron extends EventSource<CronEvents> {
  /** The cron's name. */
  readonly name: string;
  /** Who runs it: the election of the name `<name>/leader`. */
  readonly election: Election;
  /** The first tick after a time; undefined if there is none. */
  next(after: Date): Date | undefined;
  /** The last tick that was dealt with; undefined before anybody has tended the cron. */
  last(options?: CallOptions): Promise<CronTick | undefined>;
  /**
   * Takes part until `signal` aborts: runs the job at each tick while this process leads, one after the other.
   *
   * @throws ConclaveError as {@link Election.lead}
   */
  run(job: CronJob, options?: CronRunOptions): Promise<void>;
}

/** The most that a timer waits: a wall clock that was set is noticed by then. */
const napMsMax = 60_000;
const backoff = { firstMs: 500, maxMs: 10_000 };
const cronSchema = z.strictObject({
  schedule: z.string(),
  timezone: z.string().optional(),
  missed: z.enum(["skip", "once", "all"]).optional(),
  graceMs: z.number().min(0).optional(),
  missedMax: z.number().int().min(1).max(10_000).optional(),
  interrupted: z.enum(["skip", "rerun"]).optional(),
  ttlSec: z.number().int().min(1).optional(),
  marginMs: z.number().min(0).optional(),
  renewer: z.strictObject({ maxStallMs: z.number().min(10) }).optional(),
});

/**
 * Makes a cron. Nothing is run before {@link Cron.run}.
 *
 * Ticks are told by the wall clock of whoever leads. One that goes wrong makes ticks early or late, but none is run twice:
 * a tick is run only after the last one that the store knows.
 *
 * @param name - the same for all that take part; keys are `<name>/last` and those of the election `<name>/leader`
 * @throws ConclaveError `INVALID_ARGUMENT` if an option is wrong or the schedule cannot be read
 */
export function createCron(client: ClientView, name: string, options: CronOptions): Cron {
  const checked = cronSchema.safeParse(options);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw new ConclaveError("INVALID_ARGUMENT", `Invalid cron: ${issue?.path.join(".")} ${issue?.message}`);
  }
  return new ElectedCron(client, name, options);
}

class ElectedCron implements Cron {
  readonly name: string;
  readonly election: Election;
  readonly events = new IsolatedEmitter<CronEvents>(warnOfHandlerError);
  readonly client: ClientView;
  readonly options: CronOptions;
  readonly schedule: Schedule;

  constructor(client: ClientView, name: string, options: CronOptions) {
    const { schedule, timezone = "UTC", ttlSec, marginMs, renewer } = options;
    this.name = name;
    this.client = client;
    this.options = options;
    this.schedule = parseSchedule(schedule, timezone);
    this.election = createElection(client, `${name}/leader`, { ttlSec, marginMs, renewer });
  }

  on: EventSource<CronEvents>["on"] = (event, handler) => this.events.on(event, handler);
  once: EventSource<CronEvents>["once"] = (event, handler) => this.events.once(event, handler);

  get key(): string {
    return `${this.name}/last`;
  }

  next(after: Date): Date | undefined {
    const nextMs = this.schedule.next(after.getTime());
    return nextMs === undefined ? undefined : new Date(nextMs);
  }

  async last(options?: CallOptions): Promise<CronTick | undefined> {
    const kv = await this.client.get(this.key, options);
    return kv === undefined ? undefined : parseTick(kv);
  }

  run(job: CronJob, options: CronRunOptions = {}): Promise<void> {
    return this.election.lead((term) => new Tending(this, term, job).run(), options);
  }
}

/** The parts of a cron that its tending needs. */
type Tended = Pick<ElectedCron, "client" | "key" | "options" | "schedule" | "events">;

/** What one leader does until its leadership ends. */
class Tending {
  readonly #cron: Tended;
  readonly #term: LeaderTerm;
  readonly #job: CronJob;

  constructor(cron: Tended, term: LeaderTerm, job: CronJob) {
    this.#cron = cron;
    this.#term = term;
    this.#job = job;
  }

  async run(): Promise<void> {
    let last = await this.#takeOver();
    while (last !== undefined && !this.#term.signal.aborted) {
      const nowMs = this.#cron.client.ports.clock.wallMs();
      const due = this.#choose(last.tick.getTime(), nowMs);
      if (due === undefined) await this.#napUntil(this.#cron.schedule.next(Math.max(nowMs, last.tick.getTime())));
      else last = due.isRun ? await this.#runTick(due.tick, last) : await this.#drop(due.tick, last);
    }
    // Whoever cannot go on must not take the end of the task for the end of the cron.
    if (!this.#term.signal.aborted) await this.#term.ended;
  }

  /** Reads how far earlier leaders came. The first of all begins now. @returns undefined if leadership is lost */
  async #takeOver(): Promise<StoredTick | undefined> {
    const { client, key, options, events } = this.#cron;
    const kv = await this.#insist(() => client.get(key, { signal: this.#term.signal }));
    if (kv === undefined) {
      if (this.#term.signal.aborted) return undefined;
      return await this.#write(new Date(client.ports.clock.wallMs()), "begun", undefined);
    }
    const last = parseTick(kv);
    if (last.state !== "running") return last;
    events.emit("interrupted", last.tick);
    return options.interrupted === "rerun" ? await this.#runTick(last.tick, last) : last;
  }

  /** The next of the ticks that have passed; undefined if none has. */
  #choose(sinceMs: number, nowMs: number): { readonly tick: Date; readonly isRun: boolean } | undefined {
    const { missed = "skip", missedMax = 100, graceMs = 30_000 } = this.#cron.options;
    const [tickMs] = this.#cron.schedule.due({ sinceMs, nowMs }, missed === "all" ? missedMax : 1);
    if (tickMs === undefined) return undefined;
    return { tick: new Date(tickMs), isRun: missed !== "skip" || nowMs - tickMs <= graceMs };
  }

  async #napUntil(nextMs: number | undefined): Promise<void> {
    const { clock, scheduler } = this.#cron.client.ports;
    const leftMs = (nextMs ?? Number.POSITIVE_INFINITY) - clock.wallMs();
    await sleep(scheduler, Math.min(Math.max(leftMs, 1), napMsMax), this.#term.signal);
  }

  async #runTick(tick: Date, last: StoredTick): Promise<StoredTick | undefined> {
    this.#tellDropped(tick, last);
    const begun = await this.#write(tick, "running", last);
    if (begun === undefined) return undefined;
    const { events } = this.#cron;
    events.emit("started", tick);
    try {
      await this.#job(this.#runOf(tick));
    } catch (error) {
      events.emit("failed", tick, error);
      return await this.#write(tick, "failed", begun);
    }
    events.emit("finished", tick);
    return await this.#write(tick, "done", begun);
  }

  async #drop(tick: Date, last: StoredTick): Promise<StoredTick | undefined> {
    this.#cron.events.emit("dropped", tick);
    return await this.#write(tick, "dropped", last);
  }

  /** Tells of ticks between the last one and the one that is run now. */
  #tellDropped(tick: Date, last: StoredTick): void {
    const [droppedMs] = this.#cron.schedule.due({ sinceMs: last.tick.getTime(), nowMs: tick.getTime() - 1 }, 1);
    if (droppedMs !== undefined) this.#cron.events.emit("dropped", new Date(droppedMs));
  }

  #runOf(tick: Date): CronRun {
    const term = this.#term;
    return {
      ...{ tick, fence: term.fence, signal: term.signal, guard: term.guard },
      get held() {
        return term.held;
      },
      txn: (ops, options) => term.txn(ops, options),
    };
  }

  /**
   * Writes a tick down over the last one, as the leader.
   *
   * @returns undefined if this process does not lead any more
   */
  async #write(tick: Date, state: CronTickState, last: StoredTick | undefined): Promise<StoredTick | undefined> {
    const { client, key } = this.#cron;
    const { fence, guard } = this.#term;
    const text = formatTick({ tick, state, fence });
    const txn = client
      .txn()
      .if(guard, compare.modRevision(key).equal(last?.revision ?? 0))
      .then(op.put(key, text))
      .else(op.get(key));
    const result = await this.#insist(() => txn.commit({ idempotent: true }));
    if (result === undefined) return undefined;
    if (result.succeeded) return { tick, state, fence, revision: result.revision };
    const [kv] = result.responses;
    // A try whose answer was lost may have written it; nobody else writes this fence.
    return kv?.valueString === text ? parseTick(kv) : undefined;
  }

  /** Calls the store again until it answers; undefined if leadership has ended before. */
  async #insist<T>(call: () => Promise<T>): Promise<T | undefined> {
    const { client, events } = this.#cron;
    const { scheduler, random } = client.ports;
    for (let failures = 1; this.#term.held; failures++) {
      try {
        return await call();
      } catch (error) {
        if (!isConclaveError(error)) throw error;
        if (error.code === "ABORTED") return undefined;
        if (!error.retryable && !error.maybeApplied) throw error;
        events.emit("storeFailed", error);
      }
      // What was begun is to be written down even if this leader is told to end, as long as it leads.
      await sleep(scheduler, fullJitterMs(random, backoff, failures), new AbortController().signal);
    }
    return undefined;
  }
}
