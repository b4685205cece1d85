import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import { type Client, type ClientView, connect } from "../client.ts";
import { type Codec, jsonCodec, schemaCodec, stringCodec } from "../codec.ts";
import { isConclaveError } from "../conclave-error.ts";
import { idempotencyPrefix } from "../kv/idempotency.ts";
import { directory, prefix } from "../kv/key-range.ts";
import type { WriteOutcome } from "../kv/outcome.ts";
import type { WatchCursor } from "../watch/watch-cursor.ts";
import type { Entry } from "./entry.ts";
import type { KeyspaceBatch } from "./keyspace-watch.ts";

const user = z.object({ name: z.string(), age: z.number().int() });
type User = z.infer<typeof user>;
const numbers: Codec<number> = {
  encode: (value) => stringCodec.encode(String(value).padStart(8, "0")),
  decode: (bytes) => Number(stringCodec.decode(bytes)),
};

describe.each(backEnds())("on $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "the typed client", { timeout: 30_000 }, () => {
    let member: BackEndMember;
    let client: Client;
    let spaces = 0;
    const space = (): ClientView => client.namespace(`test-${spaces++}/`);

    beforeAll(async () => {
      member = await start();
      client = await connect({ endpoints: member.endpoints });
    }, 60_000);
    afterAll(async () => {
      await client?.close();
      await member?.[Symbol.asyncDispose]();
    });

    test("a keyspace reads, writes, scans and watches values of its type under its own prefix only", async () => {
      const view = space();
      const users = view.keyspace("users/", { key: numbers, value: schemaCodec(user) });
      await using watcher = users.watch();
      await watcher.ready();
      await view.put("users", "a key that only begins like the space");
      const ada = await users.put(2, { name: "ada", age: 36 });
      await users.put(1, { name: "bob", age: 7 });
      const gone = await users.delete(2);
      expect(await users.get(2)).toBeUndefined();
      expect(await users.get(1)).toMatchObject({ key: 1, value: { name: "bob", age: 7 }, version: 1 });
      const entries: Entry<number, User>[] = [];
      for await (const entry of users.scan({ pageSize: 1 })) entries.push(entry);
      expect(entries.map(({ key }) => key)).toEqual([1]);
      const batches: KeyspaceBatch<number, User>[] = [];
      for await (const batch of watcher) if (batches.push(batch) === 3) break;
      expect(batches.flatMap(({ events }) => events)).toEqual([
        { type: "put", entry: expect.objectContaining({ key: 2, value: { name: "ada", age: 36 } }) },
        { type: "put", entry: expect.objectContaining({ key: 1 }) },
        { type: "delete", key: 2, modRevision: batches[2]?.revision },
      ]);
      expect([ada.kind, gone.kind]).toEqual(["committed", "committed"]);
    });

    test("a watch goes on from a position that was stored, of this range and cluster only", async () => {
      const view = space();
      const counts = view.keyspace("counts/", { value: jsonCodec<number>() });
      await using first = counts.watch();
      expect(first.position).toBeUndefined();
      await first.ready();
      for (const n of [1, 2, 3]) await counts.put("a", n);
      let stored = "";
      for await (const { events } of first) {
        stored = JSON.stringify(first.position);
        expect(events).toHaveLength(1);
        break;
      }
      const position = JSON.parse(stored) as WatchCursor;
      const told: unknown[] = [];
      for await (const { events } of view.namespace("counts/").watch(prefix(""), { from: position }))
        if (told.push(...events.map(({ kv }) => kv.valueString)) === 2) break;
      expect(told).toEqual(["2", "3"]);
      expect(() => view.watch("counts/a", { from: position })).toThrow("a cursor of another one");
      const elsewhere = position.replace(/:1:[0-9a-f]+:/, ":1:5ca1ab1e:") as WatchCursor;
      for (const onCompaction of ["error", "resync"] as const) {
        const lost = counts.watch({ from: elsewhere, onCompaction });
        expect(await lost.ended).toMatchObject({ code: "CLUSTER_ID_MISMATCH" });
      }
    });

    test("a keyspace tells of what others wrote and its codec refuses, and its watch goes on", async () => {
      const view = space();
      const users = view.keyspace("users/", { value: schemaCodec(user) });
      await using watcher = users.watch({ from: 1 });
      await view.put("users/x", "no json");
      await users.put("y", { name: "yan", age: 1 });
      await expect(users.get("x")).rejects.toMatchObject({ code: "DATA_LOSS" });
      const types: string[] = [];
      for await (const { events } of watcher) if (types.push(...events.map(({ type }) => type)) === 2) break;
      expect(types).toEqual(["invalid", "put"]);
      await expect(users.put("z", { name: "zoe", age: 0.5 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    });

    test("a conditional write is committed, or rejected with what is there", async () => {
      const users = space().keyspace("users/", { value: jsonCodec<number>() });
      const first = await users.put("a", 1, { if: { modRevision: 0 } });
      if (first.kind !== "committed") throw new Error(first.kind);
      expect(await users.put("a", 2, { if: { modRevision: 0 } })).toEqual({
        kind: "rejected",
        current: expect.objectContaining({ key: "a", value: 1, modRevision: first.revision }),
      });
      expect(await users.delete("a", { if: { modRevision: first.revision - 1 } })).toMatchObject({ kind: "rejected" });
      expect(await users.delete("a", { if: { modRevision: first.revision } })).toMatchObject({ kind: "committed" });
      expect(await users.put("a", 3, { if: { modRevision: 9 } })).toEqual({ kind: "rejected", current: undefined });
    });

    test("a write with an idempotency id takes effect once, and says when", async () => {
      const view = space();
      const counters = view.keyspace("counters/", { value: jsonCodec<number>() });
      const first = await counters.put("a", 1, { idempotencyId: "one" });
      await counters.put("a", 5);
      expect(await counters.put("a", 1, { idempotencyId: "one" })).toEqual(first);
      expect((await counters.get("a"))?.value).toBe(5);
      const markers = await view.range(directory(idempotencyPrefix), {});
      expect(markers.kvs.map(({ keyString }) => keyString)).toEqual([`${idempotencyPrefix}one`]);
      // Collected by the store: nobody renews the lease.
      const { grantedTtlSec } = await view.lease.timeToLive(markers.kvs[0]?.lease ?? 0n);
      expect(grantedTtlSec).toBe(1_200);
      expect(await counters.put("b", 1, { idempotencyId: "two", if: { modRevision: 7 } })).toMatchObject({
        kind: "rejected",
      });
      expect(await counters.put("b", 1, { idempotencyId: "two", if: { modRevision: 0 } })).toMatchObject({
        kind: "committed",
      });
    });

    test("transact() lets concurrent transfers neither create nor destroy money", async () => {
      const view = space();
      for (const name of ["a", "b", "c"]) await view.put(`accounts/${name}`, "100");
      const transfer = ([from, to]: readonly [string, string]) =>
        view.transact(
          async (tx) => {
            const balance = Number(await tx.getString(`accounts/${from}`));
            if (balance < 10) return;
            tx.put(`accounts/${from}`, String(balance - 10));
            tx.put(`accounts/${to}`, String(Number(await tx.getString(`accounts/${to}`)) + 10));
          },
          { attempts: 200 },
        );
      const pairs = [
        ["a", "b"],
        ["b", "c"],
        ["c", "a"],
        ["a", "c"],
      ] as const;
      await Promise.all(Array.from({ length: 12 }, (_, n) => transfer(pairs[n % 4] ?? pairs[0])));
      const sum = await view.transact(async (tx) => {
        const accounts = await tx.range(prefix("accounts/"));
        return accounts.reduce((total, { value }) => total + Number(stringCodec.decode(value)), 0);
      });
      expect(sum).toBe(300);
    });

    test("transact() moves typed values between keyspaces in one step, and reads its own writes", async () => {
      const view = space();
      const open = view.keyspace("open/", { key: numbers, value: schemaCodec(user) });
      const done = view.keyspace("done/", { value: jsonCodec<{ readonly by: User }>() });
      await open.put(1, { name: "ada", age: 36 });
      await open.put(2, { name: "bob", age: 7 });
      const seen = await view.transact(async (tx) => {
        const by = await tx.in(open).get(1);
        if (by === undefined) throw new Error("nobody");
        tx.in(done).put("one", { by });
        tx.in(open).put(10, { name: "zoe", age: 1 });
        tx.in(open).delete(1);
        return { open: await tx.in(open).entries(), done: await tx.in(done).get("one") };
      });
      expect(seen).toEqual({
        open: [
          { key: 2, value: { name: "bob", age: 7 } },
          { key: 10, value: { name: "zoe", age: 1 } },
        ],
        done: { by: { name: "ada", age: 36 } },
      });
      expect(await open.get(1)).toBeUndefined();
      expect((await done.get("one"))?.value).toEqual(seen.done);
      let runs = 0;
      await view.transact(async (tx) => {
        const { length } = await tx.in(open).entries();
        if (runs++ === 0) await open.put(11, { name: "new", age: 0 });
        tx.in(open).put(12, { name: String(length), age: 1 });
      });
      expect([runs, (await open.get(12))?.value.name]).toEqual([2, "3"]);
    });

    test("transact() takes a keyspace of its namespace only, and says which pair its codec refuses", async () => {
      const view = space();
      const inner = view.namespace("inner/").keyspace("users/", { value: schemaCodec(user) });
      await view.put("inner/users/x", "no json");
      const readBy = (of: ClientView, users = inner) => of.transact(async (tx) => await tx.in(users).get("x"));
      for (const within of [view, view.namespace("inner/")]) {
        const failure = await readBy(within).catch((error: unknown) => error);
        expect(failure).toMatchObject({ code: "DATA_LOSS", message: expect.stringContaining('users/x"') });
      }
      await expect(readBy(view.namespace("other/"))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      await expect(readBy(view, { ...inner })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    });

    test("transact() runs again when a key that was not there, or a key new to a range, has appeared", async () => {
      const view = space();
      await view.put("r/1", "x");
      let runs = 0;
      const meddle: Record<number, () => Promise<unknown>> = {
        1: () => view.put("absent", "there now"),
        2: () => view.put("r/2", "new"),
        3: () => view.delete("r/1"),
      };
      const seen = await view.transact(async (tx) => {
        runs++;
        const absent = await tx.getString("absent");
        const names = (await tx.range(prefix("r/"))).map(({ key }) => stringCodec.decode(key));
        await meddle[runs]?.();
        tx.put("r/own", "mine");
        const own = (await tx.range(prefix("r/"))).length;
        tx.put("result", `${names.join()} ${absent}`);
        return { names, own };
      });
      expect(runs).toBe(4);
      expect(seen).toEqual({ names: ["r/2"], own: 2 });
      expect(await view.getString("result")).toBe("r/2 there now");
    });

    test("transact() reads at one revision, writes nothing if it throws, and gives up after its tries", async () => {
      const view = space();
      await view.put("a", "1");
      await view.put("b", "1");
      const read = view.transact(async (tx) => {
        const a = await tx.getString("a");
        await view.txn().then().commit();
        await view.put("a", "2");
        await view.put("b", "2");
        return [a, await tx.getString("b")];
      });
      expect(await read).toEqual(["1", "1"]);
      const thrown = view.transact(async (tx) => {
        tx.put("a", "3");
        throw new RangeError("no");
      });
      await expect(thrown).rejects.toBeInstanceOf(RangeError);
      const contested = view.transact(
        async (tx) => {
          await tx.get("a");
          await view.put("a", "4");
          tx.put("b", "5");
        },
        { attempts: 2 },
      );
      await expect(contested).rejects.toMatchObject({ code: "CONFLICT", retryable: true });
      expect([await view.getString("a"), await view.getString("b")]).toEqual(["4", "2"]);
    });

    test("a mirror answers reads as the cluster would, and locally when told", async () => {
      const view = space();
      await view.put("m/a", "1");
      await using mirror = view.mirror(prefix("m/"));
      await mirror.ready();
      for (let n = 0; n < 20; n++) {
        // Written through the cluster, read through the mirror: it must never be behind.
        const { revision } = await view.put(`m/${n % 3}`, `${n}`);
        const read = n % 2 === 0 ? {} : { consistency: revision };
        expect((await mirror.get(`m/${n % 3}`, read))?.valueString).toBe(`${n}`);
      }
      await view.delete("m/a");
      expect(await mirror.get("m/a")).toBeUndefined();
      await view.put("elsewhere", "so that the revision goes on and the mirror hears nothing");
      expect((await mirror.entries()).map(({ keyString }) => keyString)).toEqual(["m/0", "m/1", "m/2"]);
      expect(mirror.size).toBe(3);
      expect((await mirror.entries({ consistency: "local" })).length).toBe(3);
      await expect(mirror.get("n")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      await expect(mirror.get("m/0", { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
    });

    test("the members are found and take the place of the endpoints", async () => {
      await using found = await connect({
        discoverySrv: {
          domain: "cluster.test",
          resolve: async (name) => {
            if (name !== "_etcd-client._tcp.cluster.test") throw new Error(`no records of ${name}`);
            const port = Number(member.endpoint.split(":")[1]);
            return [{ name: "127.0.0.1.", port, priority: 0, weight: 0 }];
          },
        },
      });
      const statuses = found.status()[Symbol.asyncIterator]();
      expect(found.endpoints).toEqual([`http://${member.endpoint}`]);
      const synced = await found.sync();
      expect(synced.map((endpoint) => endpoint.replace("http://", "")).toSorted()).toEqual(
        [...member.endpoints].sort(),
      );
      await found.put("a", "1");
      if (member.endpoints.length > 1)
        expect(await statuses.next()).toEqual({ done: false, value: { type: "endpointsChanged", endpoints: synced } });
      await found.close();
      expect((await statuses.next()).value).toEqual({ type: "closed" });
    });
  });
});

test("a keyspace needs a separator at the end of its prefix", async () => {
  await using client = await import("../client.ts").then(({ createClient }) => createClient());
  const make = (name: string, separator?: string) => () => client.keyspace(name, { value: stringCodec, separator });
  expect(make("users")).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  expect(make("users:", ":")().prefix).toBe("users:");
});

test("types: a wrong codec or an outcome that nobody looks at does not compile", () => {
  const check = async (client: Client) => {
    const users = client.keyspace("users/", { value: schemaCodec(user) });
    expectTypeOf(users.get).parameter(0).toEqualTypeOf<string>();
    expectTypeOf(users.get).returns.resolves.toEqualTypeOf<Entry<string, User> | undefined>();
    expectTypeOf(users.put).parameter(1).toEqualTypeOf<User>();
    expectTypeOf(users.put).returns.resolves.toEqualTypeOf<WriteOutcome<Entry<string, User>>>();
    // @ts-expect-error: the key codec is for numbers
    void client.keyspace("n/", { key: numbers, value: stringCodec }).get("one");
    // @ts-expect-error: no codec for the values
    client.keyspace("n/", {});
    // @ts-expect-error: only a committed outcome has a revision
    (await users.put("a", { name: "ada", age: 1 })).revision;
    expectTypeOf(client.transact(async (tx) => (await tx.range("a")).length)).resolves.toEqualTypeOf<number>();
    const txn = await client.txn().then().commit();
    expectTypeOf(txn.responses).toEqualTypeOf<readonly []>();
  };
  expectTypeOf(check).toBeFunction();
  expect(isConclaveError(undefined)).toBe(false);
});
