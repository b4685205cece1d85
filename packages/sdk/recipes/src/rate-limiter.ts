/**
 * @module A limit of a rate that many processes share: the generic cell rate algorithm. One key per subject holds the time at
 * which all that was let through would have been, had it come evenly; what would move that time too far ahead is refused.
 *
 * The clock is the wall clock of each caller. Where clocks differ by at most `s`, no more than
 * `burst + limit × (t + s) / period` is let through in any time `t`.
 */
import { hex } from "@conclave/base";
import { type CallOptions, type ClientView, compare, type KeyValue, op, prefix, sleep } from "@conclave/client";
import { z } from "zod";
import { check, nameSchema } from "./check.ts";
import { bounded } from "./wait.ts";

/** What is let through. All who share a limit must say the same. */
export interface RateLimiterOptions {
  /** How much per period, on the average; above 0. */
  readonly limit: number;
  /** The period, in milliseconds. */
  readonly periodMs: number;
  /** How much at once after a quiet time, at least 1. Default: `limit`, at least 1. */
  readonly burst?: number | undefined;
}

/** What became of a request. */
export interface RateDecision {
  /** Whether it is let through. */
  readonly isAllowed: boolean;
  /** How much more could be let through now. */
  readonly remaining: number;
  /** When to ask again, in milliseconds; 0 if it is let through, `Infinity` if it costs more than a burst. */
  readonly retryAfterMs: number;
}

/** How a request is counted. */
export interface RateRequest extends CallOptions {
  /** What it costs, above 0. Default: 1. */
  readonly cost?: number | undefined;
}

/** A shared limit. */
export interface RateLimiter {
  /**
   * Asks whether a request may be made now, and counts it if so. One transaction, as long as no other process asks for the
   * same subject at the same time; none where this process knows already that the answer is no. An answer that was lost may
   * count a request twice, and never lets one through too much.
   *
   * @param subject - who or what is limited, such as a user; a limit of its own for each
   */
  tryTake(subject: string, request?: RateRequest): Promise<RateDecision>;
  /**
   * Waits until a request may be made, and counts it. Without limit unless told otherwise.
   *
   * @throws ConclaveError `INVALID_ARGUMENT` if it costs more than a burst
   */
  take(subject: string, request?: RateRequest): Promise<void>;
  /** Forgets subjects that have been quiet for long enough to have their whole burst, at most 100. @returns how many */
  sweep(options?: CallOptions): Promise<number>;
}

const optionsSchema = z.strictObject({
  limit: z.number().positive(),
  periodMs: z.number().positive(),
  burst: z.number().min(1).optional(),
});
const costSchema = z.number().positive();
const idBytes = 6;
/** What sums of times of day in milliseconds may be off by. */
const roundingMs = 0.01;
/** Subjects whose state is remembered. */
const knownMax = 1_000;
const sweepMax = 100;
/** Subjects are forgotten after so many requests, by whoever makes them. */
const sweepEvery = 500;

/** Makes a limit; its keys are `<name>/<subject>`. @throws ConclaveError `INVALID_ARGUMENT` */
export function createRateLimiter(client: ClientView, name: string, options: RateLimiterOptions): RateLimiter {
  check(nameSchema, name, "name of a rate limiter");
  const checked = check(optionsSchema, options, "options of a rate limiter");
  return new GcraLimiter(client, name, checked);
}

/** What a subject's key holds. */
interface Cell {
  /** The time at which all that was let through would have been, had it come evenly. */
  readonly fullAtMs: number;
  /** The request that wrote it. */
  readonly id: string;
  /** The revision that wrote it; 0 if the key is not there. */
  readonly modRevision: number;
}

class GcraLimiter implements RateLimiter {
  readonly #client: ClientView;
  readonly #name: string;
  /** The time that one costs. */
  readonly #stepMs: number;
  /** How far ahead the time may be. */
  readonly #aheadMsMax: number;
  readonly #known = new Map<string, Cell>();
  #untilSweep = sweepEvery;

  constructor(client: ClientView, name: string, { limit, periodMs, burst }: RateLimiterOptions) {
    this.#client = client;
    this.#name = name;
    this.#stepMs = periodMs / limit;
    this.#aheadMsMax = this.#stepMs * (burst ?? Math.max(1, limit));
  }

  async tryTake(subject: string, { cost = 1, ...call }: RateRequest = {}): Promise<RateDecision> {
    check(nameSchema, subject, "subject of a rate limit");
    check(costSchema, cost, "cost of a request");
    const id = hex(this.#client.ports.random.bytes(idBytes));
    for (;;) {
      const cell = this.#known.get(subject) ?? { fullAtMs: 0, id: "", modRevision: 0 };
      const nowMs = this.#client.ports.clock.wallMs();
      const fullAtMs = Math.max(cell.fullAtMs, nowMs) + cost * this.#stepMs;
      if (fullAtMs - nowMs > this.#aheadMsMax + roundingMs) return this.#refused(cell.fullAtMs, nowMs, cost);
      if (await this.#write(subject, cell, { fullAtMs, id }, call)) {
        await this.#sweepNowAndThen(call);
        return { isAllowed: true, remaining: this.#remaining(fullAtMs, nowMs), retryAfterMs: 0 };
      }
    }
  }

  take(subject: string, request: RateRequest = {}): Promise<void> {
    const { scheduler } = this.#client.ports;
    return bounded(this.#client, `waiting for "${this.#name}/${subject}"`, request, async (signal) => {
      for (;;) {
        const { isAllowed, retryAfterMs } = await this.tryTake(subject, { cost: request.cost, signal });
        if (isAllowed) return;
        const longest = z.number().refine(Number.isFinite, "must not be more than a burst");
        check(longest, retryAfterMs, "cost of a request");
        await sleep(scheduler, retryAfterMs, signal);
      }
    });
  }

  async sweep(options: CallOptions = {}): Promise<number> {
    const nowMs = this.#client.ports.clock.wallMs();
    const { kvs } = await this.#client.range(prefix(`${this.#name}/`), {
      ...options,
      sortBy: "modRevision",
      limit: sweepMax,
    });
    const idle = kvs.filter((kv) => parseCell(kv).fullAtMs < nowMs);
    if (idle.length === 0) return 0;
    const { succeeded } = await this.#client
      .txn()
      .if(...idle.map(({ key, modRevision }) => compare.modRevision(key).equal(modRevision)))
      .then(...idle.map(({ key }) => op.delete(key)))
      .commit({ ...options, idempotent: true });
    return succeeded ? idle.length : 0;
  }

  /** @returns whether it was written; if not, what is there is known now */
  async #write(subject: string, cell: Cell, next: Pick<Cell, "fullAtMs" | "id">, call: CallOptions): Promise<boolean> {
    const key = `${this.#name}/${subject}`;
    const result = await this.#client
      .txn()
      .if(compare.modRevision(key).equal(cell.modRevision))
      .then(op.put(key, `${next.fullAtMs} ${next.id}`))
      .else(op.get(key))
      .commit({ ...call, idempotent: true });
    const [found] = result.succeeded ? [undefined] : result.responses;
    const there = result.succeeded ? { ...next, modRevision: result.revision } : parseCell(found);
    this.#remember(subject, there);
    // If it is there already, an earlier try of this very call wrote it and its answer was lost.
    return result.succeeded || there.id === next.id;
  }

  #remember(subject: string, cell: Cell): void {
    this.#known.delete(subject);
    this.#known.set(subject, cell);
    const [oldest] = this.#known.keys();
    if (this.#known.size > knownMax && oldest !== undefined) this.#known.delete(oldest);
  }

  #remaining(fullAtMs: number, nowMs: number): number {
    return Math.max(0, Math.floor((this.#aheadMsMax - (fullAtMs - nowMs) + roundingMs) / this.#stepMs));
  }

  #refused(fullAtMs: number, nowMs: number, cost: number): RateDecision {
    const costMs = cost * this.#stepMs;
    const retryAfterMs =
      costMs > this.#aheadMsMax ? Number.POSITIVE_INFINITY : fullAtMs + costMs - this.#aheadMsMax - nowMs;
    return { isAllowed: false, remaining: this.#remaining(Math.max(fullAtMs, nowMs), nowMs), retryAfterMs };
  }

  async #sweepNowAndThen({ signal, timeoutMs }: CallOptions): Promise<void> {
    if (--this.#untilSweep > 0) return;
    this.#untilSweep = sweepEvery;
    // What is not forgotten now is later.
    await this.sweep({ signal, timeoutMs }).catch(() => {});
  }
}

/** What a key holds; one that was damaged counts as never used. */
function parseCell(kv: KeyValue | undefined): Cell {
  const [time = "", id = ""] = kv?.valueString.split(" ") ?? [];
  const fullAtMs = Number(time);
  return { fullAtMs: Number.isFinite(fullAtMs) ? fullAtMs : 0, id, modRevision: kv?.modRevision ?? 0 };
}
