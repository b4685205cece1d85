/** @module What holds however connections break: no event is lost or told twice, and no write is done twice. */
import { WatchResponse } from "@conclave/protocol/etcdserverpb";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Client, createClient } from "./client.ts";
import { jsonCodec } from "./codec.ts";
import { prefix } from "./kv/key-range.ts";
import { op } from "./kv/op.ts";
import { systemRandom } from "./system-ports.ts";
import { type FrameFate, type RelayedFrame, startFrameRelay } from "./testing/frame-relay.ts";
import type { WatchBatch, WatchEvent } from "./watch/watch-batch.ts";

/** A batch in words. Values are told by their length: some are large. */
function inWords({ kind, revision, events }: WatchBatch): string {
  const changes = events.map(
    ({ type, kv, prevKv }) => `${type} ${kv.keyString} ${kv.value.length} after ${prevKv?.modRevision}`,
  );
  return `${kind} ${revision}: ${changes.join(", ")}`;
}

/** Tries again at once: the test is about what is lost, not about patience. */
const impatient = { ...systemRandom, fraction: () => 0 };

/**
 * Cuts a connection behind every frame of a watch, once for each: behind the first, on the next connection behind the
 * second, and so on until one ends what the member has to tell; then from the first again.
 */
class Cutter {
  /** How often it has cut, by what the last frame before was. */
  readonly cuts = { confirmation: 0, events: 0, fragment: 0 };
  #connection = -1;
  #frames = 0;
  #allowed = 1;
  #isStanding = false;
  readonly #waiters: (() => void)[] = [];

  /** Resolves while a watch stands on a connection that may bring more than its confirmation. */
  async stands(): Promise<void> {
    while (!this.#isStanding) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  readonly onFrame = ({ message }: RelayedFrame, connection: number): FrameFate => {
    if (message === undefined) return "pass";
    const { created, fragment } = WatchResponse.decode(message);
    if (connection !== this.#connection) this.#frames = 0;
    this.#connection = connection;
    if (++this.#frames < this.#allowed) {
      if (created) this.#stand();
      return "pass";
    }
    this.cuts[created ? "confirmation" : fragment ? "fragment" : "events"] += 1;
    this.#allowed = created || fragment ? this.#allowed + 1 : 1;
    this.#isStanding = false;
    return "cut after";
  };

  #stand(): void {
    this.#isStanding = true;
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

const caughtUp = 60;
const revisions = 500;
const leaseKeys = ["a", "b", "c"];
const largeValue = new Uint8Array(560_000);

function isExpiry({ type, kv }: WatchEvent): boolean {
  return type === "delete" && kv.keyString.startsWith("w/leased");
}

/** Writes one revision after the other: keys, transactions on several, deletions, keys with leases, large values. */
class Writer {
  /** Keys that were put on a lease, which ends by itself. */
  leased = 0;
  readonly #client: Client;
  #count = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  /** @returns the revision */
  async write(): Promise<number> {
    const n = this.#count++;
    const kv = this.#client;
    const key = `w/${n % 17}`;
    // Both do not fit into one frame with what they were before.
    if (n % 50 === 7)
      return (await kv.txn().then(op.put("w/large-a", largeValue), op.put("w/large-b", largeValue)).commit()).revision;
    if (n % 50 === 14) return await this.#writeLeased(n);
    if (n % 3 === 0)
      return (
        await kv
          .txn()
          .then(op.put(key, `${n}`), op.put("w/shared", `${n}`), op.delete(`w/${(n + 2) % 17}`))
          .commit()
      ).revision;
    if (n % 7 === 1) return (await kv.delete("w/shared")).revision;
    return (await kv.put(key, `${n}`)).revision;
  }

  async #writeLeased(n: number): Promise<number> {
    const { id: lease } = await this.#client.lease.grant({ ttlSec: 2 });
    this.leased += leaseKeys.length;
    const puts = leaseKeys.map((key) => op.put(`w/leased-${n}-${key}`, "1", { lease }));
    return (
      await this.#client
        .txn()
        .then(...puts)
        .commit()
    ).revision;
  }
}
describe.each(backEnds())("on $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "connections that are cut", { timeout: 240_000 }, () => {
    let member: BackEndMember;
    let direct: Client;

    beforeAll(async () => {
      member = await start();
      direct = createClient({ endpoints: member.endpoints });
    }, 60_000);
    afterAll(async () => {
      await direct?.close();
      await member?.[Symbol.asyncDispose]();
    });

    test("a watch of 500 revisions tells each once and whole, cut between every two frames", async () => {
      const cutter = new Cutter();
      await using relay = await startFrameRelay({ target: member.endpoint, onFrame: cutter.onFrame });
      await using cut = createClient({ endpoints: relay.endpoint, random: impatient });
      const { revision } = await direct.put("w/first", "1");
      const writer = new Writer(direct);
      // What is there already comes as one answer in fragments, most of which end within a revision.
      for (let n = 0; n < caughtUp; n++) await writer.write();

      const told: WatchBatch[] = [];
      const reference: WatchBatch[] = [];
      const options = { from: revision + 1, prevKv: true, onCompaction: "error" } as const;
      const watcher = cut.watch(prefix("w/"), options);
      watcher.on("batch", (batch) => told.push(batch));
      const untilTold = async (wanted: number) => {
        while ((watcher.cursor ?? 0) < wanted) await new Promise((resolve) => watcher.once("batch", resolve));
      };
      direct.watch(prefix("w/"), options).on("batch", (batch) => reference.push(batch));
      let compactions = 0;
      for (let n = 1; n <= revisions; n++) {
        await cutter.stands();
        const written = await writer.write();
        await untilTold(written);
        if (n % 25 > 0) continue;
        await expect.poll(() => reference.at(-1)?.revision).toBeGreaterThanOrEqual(written);
        // What the consumers have may go.
        await direct.compact(written);
        compactions += 1;
      }
      await expect
        .poll(async () => (await direct.range(prefix("w/leased"), { countOnly: true })).count, { timeout: 30_000 })
        .toBe(0);
      const { revision: end } = await direct.put("w/end", "1");
      await untilTold(end);
      await expect.poll(() => reference.at(-1)?.revision).toBe(end);

      expect(told.map(inWords)).toEqual(reference.map(inWords));
      const expiries = told.filter(({ events }) => events.every(isExpiry));
      expect(expiries.map(({ events }) => events.length)).toEqual(
        Array.from({ length: writer.leased / leaseKeys.length }, () => leaseKeys.length),
      );
      expect(told.length).toBe(caughtUp + revisions + expiries.length + 1);
      expect([compactions, expiries.length]).toEqual([20, 11]);
      // Every revision that was told while the watch stood came by a frame of its own at least.
      expect(cutter.cuts.events).toBeGreaterThanOrEqual(revisions);
      expect(cutter.cuts.confirmation).toBeGreaterThanOrEqual(cutter.cuts.events);
      expect(cutter.cuts.fragment).toBeGreaterThanOrEqual(10);
      expect(relay.cuts).toBe(cutter.cuts.confirmation + cutter.cuts.events + cutter.cuts.fragment);
      const view = new Map<string, number>([["w/first", revision]]);
      for (const { type, kv } of told.flatMap(({ events }) => [...events])) {
        if (type === "put") view.set(kv.keyString, kv.modRevision);
        else view.delete(kv.keyString);
      }
      const { kvs } = await direct.range(prefix("w/"));
      expect([...view].toSorted()).toEqual(
        kvs.map(({ keyString, modRevision }) => [keyString, modRevision]).toSorted(),
      );
    });

    test("a write whose answer is lost is done once: unknown without an id, committed with one", async () => {
      let drop = false;
      const onFrame = ({ type, streamId }: { readonly type: number; readonly streamId: number }) => {
        if (!drop || type !== 1 || streamId === 0) return "pass";
        drop = false;
        return "cut before";
      };
      await using relay = await startFrameRelay({ target: member.endpoint, onFrame });
      let sent = 0;
      await using client = createClient({
        endpoints: relay.endpoint,
        random: impatient,
        interceptors: [
          (next) => async (request) => {
            if (request.path.endsWith("/Txn")) drop = sent++ % 2 === 0;
            return await next(request);
          },
        ],
      });
      const counters = client.keyspace("counters/", { value: jsonCodec<number>() });
      const kinds: string[] = [];
      for (let n = 0; n < 6; n++) kinds.push((await counters.put(`plain-${n}`, n)).kind);
      expect(kinds).toEqual(["unknown", "committed", "unknown", "committed", "unknown", "committed"]);
      expect(sent).toBe(6);
      for (let n = 0; n < 6; n++) expect((await counters.get(`plain-${n}`))?.version).toBe(1);

      for (let n = 0; n < 6; n++) {
        expect((await counters.put("named", n, { idempotencyId: `n-${n}` })).kind).toBe("committed");
        const increment = client.transact(
          async (tx) => tx.put("total", `${Number((await tx.getString("total")) ?? 0) + 1}`),
          { idempotencyId: `t-${n}` },
        );
        await increment;
      }
      expect((await counters.get("named"))?.version).toBe(6);
      expect(await client.getString("total")).toBe("6");
      expect(relay.cuts).toBeGreaterThan(3);
    });
  });
});
