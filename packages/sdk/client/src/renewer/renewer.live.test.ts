import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Client, connect, createClient } from "../client.ts";
import type { Session } from "../lease/session.ts";
import { Heartbeat, RenewalCell, sharedClockMs } from "./shared-cells.ts";

/** Blocks the event loop: no timer and no socket is served. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Until then the main loop renews. */
function renewedByThread(session: Session): Promise<void> {
  return new Promise((resolve, reject) => {
    session.on("renewed", ({ byThread }) => byThread === true && resolve());
    session.on("lost", reject);
  });
}

// A member in this process would stand still with it.
describe.each(backEnds().slice(1, 2))("T11: a session renewed by a thread, on $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "one member", { timeout: 60_000 }, () => {
    let member: BackEndMember;
    let client: Client;

    beforeAll(async () => {
      member = await start();
      client = await connect({ endpoints: member.endpoints });
    }, 60_000);
    afterAll(async () => {
      await client?.close();
      await member?.[Symbol.asyncDispose]();
    });

    test("outlives a blocked event loop that is short, and knows so at the first look after it", async () => {
      const other = createClient({ endpoints: member.endpoints });
      const session = await client.session({ ttlSec: 2, renewer: { maxStallMs: 30_000 } });
      const plain = await client.session({ ttlSec: 2 });
      await renewedByThread(session);
      block(5_000);
      expect(session.held).toBe(true);
      expect(plain.held).toBe(false);
      await sleep(100);
      session.assertHeld();
      expect((await other.lease.timeToLive(session.lease)).ttlSec).toBeGreaterThanOrEqual(0);
      await session.close();
      expect((await other.lease.timeToLive(session.lease)).ttlSec).toBe(-1);
      await other.close();
    });

    test("loses its lease when the event loop hangs for longer than it may", async () => {
      const session = await client.session({ ttlSec: 2, renewer: { maxStallMs: 500 } });
      await renewedByThread(session);
      block(6_000);
      expect(session.held).toBe(false);
      expect((await session.ended).code).toBe("SESSION_LOST");
      expect((await client.lease.timeToLive(session.lease)).ttlSec).toBe(-1);
    });
  });
});

test("a client with a transport of its own has no thread to renew with", async () => {
  await using client = createClient({ clock: { monotonicMs: () => 0, wallMs: () => 0 } });
  await expect(client.session({ renewer: { maxStallMs: 500 } })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("what threads share is read whole or not at all", () => {
  const cell = new RenewalCell();
  expect(cell.read()).toBeUndefined();
  new RenewalCell(cell.buffer).write({ sentAtMs: 5, ttlSec: 9_000_000_000 });
  expect(cell.read()).toEqual({ sentAtMs: 5, ttlSec: 9_000_000_000 });
  const heartbeat = new Heartbeat();
  expect(heartbeat.ageMs).toBeGreaterThan(1_000);
  heartbeat.beat();
  expect(new Heartbeat(heartbeat.buffer).ageMs).toBeLessThan(sharedClockMs());
});

test("the thread keeps no process alive", async () => {
  await using member = await (backEnds()[0] ?? expect.fail("no back end")).start();
  const program = join(import.meta.dirname, "..", "testing", "renewed-process.ts");
  const flags = ["--import", "tsx", "--conditions=@conclave/source"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, program, member.endpoint]);
  expect(stdout).toBe("renewed by a thread\n");
}, 60_000);
