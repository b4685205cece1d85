/**
 * @module Leases that are renewed by another thread, so that they outlive short stalls of the event loop, but not a main
 * loop that hangs: the thread renews only while the main loop shows signs of life.
 */
import type { Worker } from "node:worker_threads";
import type { Timer } from "@conclave/base";
import { type Backoff, fullJitterMs } from "../calls/backoff.ts";
import type { CallPorts } from "../calls/unary-run.ts";
import { ConclaveError } from "../conclave-error.ts";
import type { KeepAliveSink, Renewal } from "../lease/keep-alive-loop.ts";
import type { FromRenewer, RenewerSettings, ToRenewer } from "./renewer-messages.ts";
import { startRenewerThread } from "./renewer-thread.ts";
import { Heartbeat, RenewalCell, sharedClockMs } from "./shared-cells.ts";

/** A lease in the renewer's hands. */
export interface WorkerRenewal {
  /** The last renewal, also while the event loop is blocked; undefined before the first. */
  latest(): Renewal | undefined;
  /** Stops renewing. */
  stop(): void;
}

/** Which lease to renew, and for how long without a sign of life. */
export interface WorkerLease {
  /** The lease. */
  readonly lease: bigint;
  /** Its TTL as far as it is known, in seconds. */
  readonly ttlSec: number;
  /** How long the main loop may stand still before renewals stop, in milliseconds. */
  readonly maxStallMs: number;
}

/** Who hears about a lease in the renewer's hands. */
export interface WorkerSink extends KeepAliveSink {
  /** The thread has failed: until another one has renewed the lease, somebody else must. */
  onThreadFailed(): void;
}

/** What a renewer needs of the client. */
export type RenewerPorts = Pick<CallPorts, "clock" | "scheduler" | "random" | "onStatus">;

interface Held extends WorkerLease {
  readonly sink: WorkerSink;
  readonly cell: RenewalCell;
}

/** How long after a thread has failed another one is started. */
const restartBackoff: Backoff = { firstMs: 500, maxMs: 30_000 };

/** The renewer of a client; its thread runs while there is a lease. */
export class WorkerRenewer {
  readonly #settings: () => RenewerSettings;
  readonly #ports: RenewerPorts;
  readonly #startThread: (settings: RenewerSettings) => Worker;
  readonly #held = new Map<bigint, Held>();
  readonly #heartbeat = new Heartbeat();
  #worker: Worker | undefined;
  #beating: Timer | undefined;
  #restart: Timer | undefined;
  /** How many threads have failed since a lease was last renewed by one. */
  #failures = 0;

  /**
   * @param settings - how the thread reaches the members; asked when it is started
   * @param ports - the system's clock, timers and randomness, and who hears of failures
   * @param startThread - starts a thread. Default: the one that renews
   */
  constructor(
    settings: () => RenewerSettings,
    ports: RenewerPorts,
    startThread: (settings: RenewerSettings) => Worker = startRenewerThread,
  ) {
    this.#settings = settings;
    this.#ports = ports;
    this.#startThread = startThread;
  }

  /** Renews a lease from now on. Whoever had it renewed before hears nothing more of it. */
  add(lease: WorkerLease, sink: WorkerSink): WorkerRenewal {
    const held = { ...lease, sink, cell: new RenewalCell() };
    this.#held.set(lease.lease, held);
    this.#beat();
    if (this.#worker !== undefined) this.#hand(this.#worker, held);
    else if (this.#restart === undefined) this.#start();
    return { latest: () => this.#read(held.cell), stop: () => this.#remove(held) };
  }

  /** Ends the thread. */
  close(): void {
    this.#held.clear();
    this.#stop();
  }

  #remove(held: Held): void {
    if (this.#held.get(held.lease) !== held) return;
    this.#held.delete(held.lease);
    if (this.#held.size === 0) this.#stop();
    else this.#worker?.postMessage({ kind: "remove", lease: held.lease } satisfies ToRenewer);
  }

  #stop(): void {
    this.#beating?.cancel();
    this.#beating = undefined;
    this.#restart?.cancel();
    this.#restart = undefined;
    void this.#worker?.terminate();
    this.#worker = undefined;
  }

  /** Starts a thread and gives it every lease there is. */
  #start(): void {
    try {
      const worker = this.#startThread(this.#settings());
      this.#worker = worker;
      worker.unref();
      worker.on("message", (message: FromRenewer) => this.#onMessage(message));
      worker.on("error", (error: unknown) => this.#onThreadEnd(worker, error));
      worker.on("exit", (code) => this.#onThreadEnd(worker, new Error(`it ended with code ${code}`)));
      for (const held of this.#held.values()) this.#hand(worker, held);
    } catch (error) {
      // Node may be told to let nobody start threads.
      this.#onThreadEnd(this.#worker, error);
    }
  }

  #hand(worker: Worker, { lease, ttlSec, cell, maxStallMs }: Held): void {
    const shared = { cell: cell.buffer, heartbeat: this.#heartbeat.buffer };
    const known = cell.read()?.ttlSec ?? ttlSec;
    worker.postMessage({ kind: "add", lease, ttlSec: known, maxStallMs, ...shared } satisfies ToRenewer);
  }

  /** Another thread takes its place, after a time that grows while none gets as far as renewing. */
  #onThreadEnd(worker: Worker | undefined, cause: unknown): void {
    if (this.#worker !== worker) return;
    const { scheduler, random, onStatus } = this.#ports;
    this.#worker = undefined;
    this.#failures++;
    this.#restart = scheduler.after(fullJitterMs(random, restartBackoff, this.#failures), () => {
      this.#restart = undefined;
      this.#start();
    });
    for (const { sink } of [...this.#held.values()]) sink.onThreadFailed();
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `The thread that renews leases has failed: ${reason}`;
    const error = new ConclaveError("UNAVAILABLE", message, { cause, retryable: true });
    onStatus({ type: "renewerFailed", error, failures: this.#failures });
  }

  #onMessage({ kind, lease }: FromRenewer): void {
    const held = this.#held.get(lease);
    if (held === undefined) return;
    this.#failures = 0;
    const renewal = this.#read(held.cell);
    if (kind === "renewed" && renewal !== undefined) held.sink.onRenewed(renewal);
    if (kind !== "gone") return;
    this.#remove(held);
    held.sink.onGone();
  }

  #read(cell: RenewalCell): Renewal | undefined {
    const noted = cell.read();
    if (noted === undefined) return undefined;
    const agoMs = sharedClockMs() - noted.sentAtMs;
    return { ttlSec: noted.ttlSec, sentAtMs: this.#ports.clock.monotonicMs() - agoMs, byThread: true };
  }

  /** Shows that the main loop runs, several times within the shortest stall that somebody allows. */
  #beat(): void {
    this.#beating?.cancel();
    this.#heartbeat.beat();
    const everyMs = Math.min(...[...this.#held.values()].map(({ maxStallMs }) => maxStallMs)) / 4;
    this.#beating = this.#ports.scheduler.after(everyMs, () => this.#beat(), { background: true });
  }
}
