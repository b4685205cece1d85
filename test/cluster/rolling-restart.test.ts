import { setTimeout as sleep } from "node:timers/promises";
import { type Client, createClient } from "@conclave/client";
import { startCluster } from "@conclave/testkit";
import { expect, test } from "vitest";
import { KvWorkload } from "../campaign/kv-workload.ts";
import { cleanExit, hashesOf, program } from "./subject.ts";

/** Clients that make calls which may be repeated, over and over; what fails is kept. */
class IdempotentCalls implements AsyncDisposable {
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

test("a rolling restart under load fails no call that may be repeated, and loses nothing", async ({ annotate }) => {
  await using cluster = await startCluster(program);
  await cluster.waitForLeader({ among: cluster.members });
  await using workload = new KvWorkload({ endpoints: cluster.endpoints, clients: 3 });
  await using calls = new IdempotentCalls(cluster.endpoints, 3);
  for (const member of cluster.members) {
    await workload.serves();
    workload.nextRound();
    await member.stop();
    expect(member.exit, member.log).toBe(cleanExit);
    await member.restart();
    await cluster.waitForLeader({ among: cluster.members });
  }
  await workload.serves();
  await calls.end();
  expect(calls.failures).toEqual([]);
  expect(calls.succeeded).toBeGreaterThan(100);
  await workload.verify();
  const hashes = await hashesOf(cluster.members);
  expect(new Set(hashes).size, `HashKV of ${hashes}`).toBe(1);
  await annotate(`${calls.succeeded} calls, none failed`);
});
