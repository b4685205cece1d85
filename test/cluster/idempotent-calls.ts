/** @module Calls that a client may repeat by itself: whatever becomes of single members, none of them may fail. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, createClient } from "@conclave/client";

/** Clients that make calls which may be repeated, over and over; what fails is kept. */
export class IdempotentCalls implements AsyncDisposable {
  readonly failures: unknown[] = [];
  succeeded = 0;
  readonly #clients: readonly Client[];
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(endpoints: readonly string[], clients: number) {
    this.#clients = Array.from({ length: clients }, () => createClient({ endpoints }));
    this.#running = Promise.all(this.#clients.map((client, at) => this.#run(client, `caller-${at}`)));
  }

  /** Resolves when the last call has ended. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  async #run(client: Client, name: string): Promise<void> {
    const { id } = await client.lease.grant({ ttlSec: 60 });
    const calls = [
      () => client.put(`${name}/key`, "value", { idempotent: true }),
      () => client.get(`${name}/key`),
      () => client.range(`${name}/`, { serializable: true }),
      () => client.lease.keepAliveOnce(id),
      () => client.lease.timeToLive(id),
      () => client.cluster.memberList(),
      () => client.maintenance.status(),
    ];
    for (let count = 0; !this.#stop.signal.aborted; count++) {
      await calls[count % calls.length]?.().then(
        () => {
          this.succeeded += 1;
        },
        (error: unknown) => void this.failures.push(error),
      );
      await sleep(5);
    }
  }
}
