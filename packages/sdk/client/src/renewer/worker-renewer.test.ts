/** @module Threads that fail, and what becomes of the leases that they renewed. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { systemScheduler } from "@conclave/base";
import { createTestAuthority, startMember, type TestMember } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultLimits } from "../calls/limits.ts";
import { type Client, createClient } from "../client.ts";
import { KeepAliveLoop, type Renewal } from "../lease/keep-alive-loop.ts";
import { openSession } from "../lease/session.ts";
import type { ClientStatus } from "../observe/client-status.ts";
import { createSystemClock, systemRandom } from "../system-ports.ts";
import { EndpointPool } from "../transport/endpoint-pool.ts";
import { createGrpcTransport } from "../transport/grpc-transport.ts";
import { type RenewerPorts, type WorkerLease, WorkerRenewer, type WorkerSink } from "./worker-renewer.ts";

const noSink: WorkerSink = { onRenewed: () => {}, onGone: () => {}, onThreadFailed: () => {} };

describe("threads that fail at once", () => {
  const leaseOf = (lease: bigint): WorkerLease => ({ lease, ttlSec: 9, maxStallMs: 400_000 });

  /** A renewer whose waits are told, and over at once; but not those between signs of life, which are longer. */
  function impatient(startThread: () => Worker) {
    const failures: ClientStatus[] = [];
    const waitsMs: number[] = [];
    const ports: RenewerPorts = {
      clock: createSystemClock(),
      random: { ...systemRandom, fraction: () => 1 },
      scheduler: {
        ...systemScheduler,
        after(delayMs, task, options) {
          if (options?.background === true) return systemScheduler.after(delayMs, task, options);
          waitsMs.push(delayMs);
          return systemScheduler.after(0, task);
        },
      },
      onStatus: (status) => failures.push(status),
    };
    const settings = { endpoints: [], tls: undefined, credentials: undefined };
    return { renewer: new WorkerRenewer(() => settings, ports, startThread), failures, waitsMs };
  }

  test("are reported each, and followed by others after ever longer times, up to half a minute", async () => {
    const { renewer, failures, waitsMs } = impatient(() => new Worker(`throw new Error("no luck")`, { eval: true }));
    let told = 0;
    const { stop } = renewer.add(leaseOf(1n), { ...noSink, onThreadFailed: () => told++ });
    await expect.poll(() => failures.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(8);
    stop();
    expect(waitsMs.slice(0, 8)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    expect(failures[1]).toMatchObject({ type: "renewerFailed", failures: 2, error: { code: "UNAVAILABLE" } });
    expect(failures[0]).toHaveProperty("error.message", "The thread that renews leases has failed: no luck");
    expect(told).toBe(failures.length);
  });

  test("are no reason for the program to fail when Node allows none", () => {
    const { renewer, failures } = impatient(() => {
      throw new Error("Access to this API has been restricted");
    });
    const { stop } = renewer.add(leaseOf(1n), noSink);
    expect(failures).toMatchObject([{ type: "renewerFailed", failures: 1 }]);
    stop();
  });

  test("leave a lease that comes meanwhile to the next one, once", async () => {
    const took: bigint[][] = [];
    const thread = () => {
      const worker = new Worker(
        `const { parentPort } = require("node:worker_threads");
         parentPort.on("message", ({ lease }) => { if (lease === 2n) setTimeout(() => { throw new Error("done"); }, 50); });`,
        { eval: true },
      );
      const leases: bigint[] = [];
      took.push(leases);
      const post = worker.postMessage.bind(worker);
      worker.postMessage = (message: { readonly lease: bigint }) => {
        leases.push(message.lease);
        post(message);
      };
      return worker;
    };
    const { renewer } = impatient(thread);
    renewer.add(leaseOf(2n), {
      ...noSink,
      onThreadFailed: () => took.length === 1 && renewer.add(leaseOf(3n), noSink),
    });
    await expect.poll(() => took.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(2);
    renewer.close();
    expect(took.slice(0, 2)).toEqual([[2n], [2n, 3n]]);
  });
});

describe("a session renewed by a thread", { timeout: 60_000 }, () => {
  let member: TestMember;
  let client: Client;

  beforeAll(async () => {
    member = await startMember();
    client = createClient({ endpoints: member.endpoint });
  });
  afterAll(async () => {
    await client?.close();
    await member?.[Symbol.asyncDispose]();
  });

  /** Resolves with the next renewal by the thread, or by the main loop. */
  function nextRenewal(
    session: { on(name: "renewed", handler: (renewal: Renewal) => void): () => void },
    thread: boolean,
  ) {
    return new Promise<void>((resolve) => {
      const stop = session.on("renewed", ({ byThread = false }) => {
        if (byThread !== thread) return;
        stop();
        resolve();
      });
    });
  }

  test("is renewed by the main loop while threads fail, and by a thread once one does not", async () => {
    const directory = await mkdtemp(join(tmpdir(), "renewer-"));
    const ca = { path: join(directory, "ca.pem") };
    const { cert } = await createTestAuthority(directory);
    await writeFile(ca.path, cert);
    await using own = createClient({ endpoints: member.endpoint, tls: { ca } });
    await writeFile(ca.path, "nonsense");
    const failed = new Promise<ClientStatus>((resolve) => {
      own.on("status", (status) => status.type === "renewerFailed" && resolve(status));
    });
    const session = await own.session({ ttlSec: 2, renewer: { maxStallMs: 30_000 } });
    expect(await failed).toHaveProperty("error.cause.message", expect.stringContaining("'ca' holds no certificate"));
    await nextRenewal(session, false);
    await nextRenewal(session, false);
    await writeFile(ca.path, cert);
    await nextRenewal(session, true);
    session.assertHeld();
    await rm(directory, { recursive: true });
  });

  test("goes back to the main loop when its thread dies, and is not lost by that", async () => {
    const clock = createSystemClock();
    const ports = {
      clock,
      random: systemRandom,
      scheduler: systemScheduler,
      transport: createGrpcTransport(),
      pool: new EndpointPool([member.endpoint], { clock, random: systemRandom }),
      closed: new AbortController().signal,
      timeoutMs: 10_000,
      limits: defaultLimits,
      onStatus: () => {},
    };
    // The first one says that it has renewed, as of now, and dies; the others die before they do.
    let threads = 0;
    const thread = () =>
      new Worker(
        `if (${threads++} > 0) throw new Error("at once");
         const { parentPort } = require("node:worker_threads");
         parentPort.once("message", ({ lease, cell, ttlSec }) => {
           const cells = new BigInt64Array(cell);
           cells[1] = BigInt(ttlSec);
           cells[0] = process.hrtime.bigint() / 1_000_000n;
           parentPort.postMessage({ kind: "renewed", lease });
           setTimeout(() => { throw new Error("done"); }, 50);
         });`,
        { eval: true },
      );
    const settings = { endpoints: [], tls: undefined, credentials: undefined };
    const worker = new WorkerRenewer(
      () => settings,
      { ...ports, random: { ...systemRandom, fraction: () => 1 } },
      thread,
    );
    const loop = new KeepAliveLoop(ports);
    const made = { ports, leases: client.lease, loop, worker, onHandlerError: () => {} };
    const session = await openSession(made, { ttlSec: 5, renewer: { maxStallMs: 30_000 } });
    await nextRenewal(session, true);
    expect(loop.size).toBe(0);
    for (let renewals = 0; renewals < 3; renewals++) await nextRenewal(session, false);
    session.assertHeld();
    expect((await client.lease.timeToLive(session.lease)).ttlSec).toBeGreaterThanOrEqual(0);
    await session.close();
    worker.close();
    ports.transport.close();
  });

  test("is not stopped by the end of another that had the same lease before", async () => {
    const settings = { endpoints: [member.endpoint], tls: undefined, credentials: undefined };
    const ports = { clock: createSystemClock(), random: systemRandom, scheduler: systemScheduler, onStatus: () => {} };
    const renewer = new WorkerRenewer(() => settings, ports);
    const { id } = await client.lease.grant({ ttlSec: 2 });
    const renewed = { first: 0, second: 0 };
    const lease = { lease: id, ttlSec: 2, maxStallMs: 30_000 };
    const first = renewer.add(lease, { ...noSink, onRenewed: () => renewed.first++ });
    // However long the thread takes: the lease is to outlive that.
    const alive = async (whose: "first" | "second") => {
      await client.lease.keepAliveOnce(id);
      return renewed[whose];
    };
    await expect.poll(() => alive("first"), { timeout: 30_000 }).toBeGreaterThan(0);
    const second = renewer.add(lease, { ...noSink, onRenewed: () => renewed.second++ });
    first.stop();
    const before = renewed.first;
    await expect.poll(() => alive("second"), { timeout: 30_000 }).toBeGreaterThan(3);
    expect(renewed.first).toBe(before);
    second.stop();
    await expect.poll(async () => (await client.lease.timeToLive(id)).ttlSec, { timeout: 30_000 }).toBe(-1);
  });

  test("hears of a revocation from the thread", async () => {
    const session = await client.session({ ttlSec: 2, renewer: { maxStallMs: 30_000 } });
    await nextRenewal(session, true);
    await client.lease.revoke(session.lease);
    expect((await session.ended).message).toContain("it was revoked or has run out");
  });
});
