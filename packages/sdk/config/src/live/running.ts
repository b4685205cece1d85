/**
 * @module Who runs which version. An instance that acknowledges writes, under its session's lease, which revision it
 * has in force and what it refused; with the instance the entry goes.
 */
import { isDeepStrictEqual } from "node:util";
import {
  type CallOptions,
  type ClientView,
  fullJitterMs,
  type KeyValue,
  type SharedSession,
  sleep,
} from "@conclave/client";
import { z } from "zod";
import { runningKey, runningRange } from "../document/keys.ts";
import { Signal } from "./signal.ts";

/** What an instance runs. */
export interface RunningState {
  /** The revision it has in force; undefined while it has none. */
  readonly revision: number | undefined;
  /** Whether that is the value of a gray release. */
  readonly gray: boolean;
  /** Why it did not take what was published last; undefined if it did. */
  readonly rejected: string | undefined;
  /** Since when, in milliseconds since 1970 by its clock. */
  readonly atMs: number;
}

/** An instance, and what it runs. */
export interface RunningVersion extends RunningState {
  /** Its id. */
  readonly instance: string;
}

const stateSchema = z.object({
  revision: z.number().optional(),
  gray: z.boolean(),
  rejected: z.string().optional(),
  atMs: z.number(),
});
const rejectedLengthMax = 500;
const writeBackoff = { firstMs: 200, maxMs: 10_000 };

/** What the instances of a configuration run. */
export async function readRunning(
  client: ClientView,
  name: string,
  options: CallOptions,
): Promise<readonly RunningVersion[]> {
  const running: RunningVersion[] = [];
  const start = runningKey(name, "").length;
  for await (const kv of client.scan(runningRange(name), options)) {
    const state = parseState(kv);
    if (state !== undefined) running.push({ instance: kv.keyString.slice(start), ...state });
  }
  return running;
}

function parseState({ valueString }: KeyValue): RunningState | undefined {
  try {
    const { revision, gray, rejected, atMs } = stateSchema.parse(JSON.parse(valueString));
    return { revision, gray, rejected, atMs };
  } catch {
    return undefined; // Of something else: nothing is known of that instance.
  }
}

/** Keeps an instance's entry up to date, also over losses of the lease. Only the newest state is ever written. */
export class Acknowledgement {
  readonly #client: ClientView;
  readonly #key: string;
  readonly #session: SharedSession;
  readonly #signal = new Signal();
  readonly #closed = new AbortController();
  readonly #done: Promise<void>;
  #state: RunningState | undefined;

  /**
   * @param client - the store
   * @param key - the instance's entry
   * @param ttlSec - after how long without the process the entry goes
   */
  constructor(client: ClientView, key: string, ttlSec: number) {
    this.#client = client;
    this.#key = key;
    this.#session = client.sharedSession({ ttlSec });
    this.#session.on("session", () => this.#signal.notify());
    this.#done = this.#run();
  }

  /** Says what the instance runs now. */
  tell(state: Omit<RunningState, "atMs">): void {
    const rejected = state.rejected?.slice(0, rejectedLengthMax);
    const { atMs = 0 } = this.#state ?? {};
    if (isDeepStrictEqual(this.#state, { ...state, rejected, atMs })) return;
    this.#state = { ...state, rejected, atMs: this.#client.ports.clock.wallMs() };
    this.#signal.notify();
  }

  /** Takes the entry away, or leaves it to the lease if the cluster is away. */
  async close(options: CallOptions): Promise<void> {
    this.#closed.abort();
    this.#signal.notify();
    await this.#done;
    await this.#client.delete(this.#key, { ...options, idempotent: true }).catch(() => {});
    await this.#session.close(options).catch(() => {});
  }

  async #run(): Promise<void> {
    const { random, scheduler } = this.#client.ports;
    const { signal } = this.#closed;
    for (let failures = 0; !signal.aborted; ) {
      await this.#signal.wait();
      try {
        await this.#write();
        failures = 0;
      } catch {
        // Whatever it was, others have to hear of it in the end.
        failures += 1;
        await sleep(scheduler, fullJitterMs(random, writeBackoff, failures), signal);
        this.#signal.notify();
      }
    }
  }

  async #write(): Promise<void> {
    const session = this.#session.current;
    if (session === undefined || this.#state === undefined || this.#closed.signal.aborted) return;
    const options = { lease: session.lease, signal: this.#closed.signal, idempotent: true };
    await this.#client.put(this.#key, JSON.stringify(this.#state), options);
  }
}
