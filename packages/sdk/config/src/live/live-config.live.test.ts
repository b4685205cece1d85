import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, connect, createClient } from "@conclave/client";
import { type BackEndMember, backEnds, freePorts } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Config, createConfig, createLayeredConfig, type LiveConfig, publishRelease } from "../index.ts";

const schema = z.object({ limit: z.number().int().min(1), mode: z.enum(["on", "off"]).default("on") });
type Settings = z.infer<typeof schema>;

let counter = 0;
const freshKey = (): string => `live/${counter++}`;
const on = (limit: number): Settings => ({ limit, mode: "on" });

/** Waits until the value is as wanted; the test's timeout bounds it. */
async function until(live: LiveConfig<Settings>, limit: number): Promise<void> {
  for await (const { value } of live) if (value.limit === limit) return;
  throw new Error("the configuration ended");
}

/** The limits that a live configuration changes to, before and after. */
function changesOf(live: LiveConfig<Settings>): (readonly [number | undefined, number])[] {
  const changes: (readonly [number | undefined, number])[] = [];
  live.on("change", ({ value, previous }) => void changes.push([previous?.value.limit, value.limit]));
  return changes;
}

/** A port that is a way to a member from now on. */
async function forward(port: number, endpoint: string): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((inward) => {
    const outward = createConnection(Number(endpoint.split(":")[1]), "127.0.0.1");
    for (const [from, to] of [
      [inward, outward],
      [outward, inward],
    ] as const) {
      sockets.add(from);
      from.on("error", () => to.destroy()).pipe(to);
    }
  });
  await once(server.listen(port, "127.0.0.1"), "listening");
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await once(server.close(), "close");
    },
  };
}

describe.each(backEnds())("a live configuration on $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "one member", { timeout: 60_000 }, () => {
    let member: BackEndMember;
    let client: Client;
    let directory: string;
    let config: Config<Settings>;
    beforeAll(async () => {
      member = await start();
      client = await connect({ endpoints: member.endpoints });
      directory = await mkdtemp(join(tmpdir(), "conclave-config-"));
    });
    afterAll(async () => {
      await client.close();
      await member[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    });
    const fresh = (): Config<Settings> => {
      config = createConfig(client, freshKey(), { schema });
      return config;
    };

    test("reaches every subscriber, with the value before and only when it is another one", async () => {
      await fresh().publish(on(1));
      await using one = await config.live();
      await using two = await config.live();
      expect([one.current?.value.limit, two.current?.value.limit]).toEqual([1, 1]);
      const changes = changesOf(one);
      await config.publish(on(1));
      const { revision } = await config.publish(on(2));
      await Promise.all([one, two].map((live) => until(live, 2)));
      expect(changes).toEqual([[1, 2]]);
      expect(one.current).toEqual({ value: on(2), revision, gray: false });
      expect(one.status).toBe("following");
    });

    test.each(["not json", '{"limit":0}'])("keeps the last good value when someone else writes %j", async (text) => {
      await fresh().publish(on(1));
      await using live = await config.live();
      const rejected = new Promise((resolve) => live.once("rejected", resolve));
      await client.put(config.key, text);
      expect(await rejected).toMatchObject({ code: "DATA_LOSS" });
      expect(live.current?.value.limit).toBe(1);
      expect(live.rejected).toMatchObject({ code: "DATA_LOSS" });
      await expect(config.get()).rejects.toMatchObject({ code: "DATA_LOSS" });
      await config.publish(on(2));
      await until(live, 2);
    });

    test("keeps the last good value when the document is deleted", async () => {
      await fresh().publish(on(1));
      await using live = await config.live();
      const rejected = new Promise((resolve) => live.once("rejected", resolve));
      await client.delete(config.key);
      expect(await rejected).toMatchObject({ code: "NOT_FOUND" });
      expect(live.current?.value.limit).toBe(1);
    });

    test("T25: a handler that throws does not stop the configuration", async () => {
      await using live = await fresh().live();
      const warned = new Promise((resolve) => process.once("warning", resolve));
      live.on("change", () => {
        throw new Error("a user's mistake");
      });
      await config.publish(on(1));
      await until(live, 1);
      await warned;
      await config.publish(on(2));
      await until(live, 2);
    });

    test("gives a gray value to the chosen instances until it ends, by itself too", async () => {
      await fresh().publish(on(1));
      const live = (id: string, zone: string) => config.live({ instance: { id, labels: { zone } } });
      await using chosen = await live("a", "north");
      await using other = await live("b", "south");
      await using unnamed = await config.live();
      const started = await config.gray.start(on(9), { durationMs: 600_000, labels: { zone: ["north", "west"] } });
      await until(chosen, 9);
      expect(chosen.current).toMatchObject({ gray: true, revision: started.revision });
      await expect(config.gray.start(on(8), { durationMs: 1_000 })).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
      expect(await config.gray.get()).toMatchObject({ value: on(9), percent: 100, release: started.release });
      expect(await config.gray.end()).toBe(true);
      await until(chosen, 1);
      expect(await config.gray.end()).toBe(false);

      const ended = performance.now() + 3_000;
      await config.gray.start(on(7), { durationMs: 3_000, labels: { zone: "north" } });
      await until(chosen, 7);
      await until(chosen, 1);
      expect(performance.now()).toBeGreaterThan(ended - 50);
      expect([other.current?.value.limit, unnamed.current?.value.limit]).toEqual([1, 1]);
    });

    test("publishes a gray value for everybody in one step, which the chosen do not notice", async () => {
      await fresh().publish(on(1));
      await using chosen = await config.live({ instance: { id: "a" } });
      await using unnamed = await config.live();
      await expect(config.gray.promote()).rejects.toMatchObject({ code: "NOT_FOUND" });
      await config.gray.start(on(2), { durationMs: 600_000, percent: 100 });
      await until(chosen, 2);
      const changes = changesOf(chosen);
      const { revision } = await config.gray.promote({ by: "ada" });
      await until(unnamed, 2);
      await config.publish(on(3));
      await until(chosen, 3);
      expect(changes).toEqual([[2, 3]]);
      expect((await config.history()).map((version) => [version.revision, version.notes?.by])[1]).toEqual([
        revision,
        "ada",
      ]);
    });

    test("goes on with the published value if the gray one is bad", async () => {
      await fresh().publish(on(1));
      await config.gray.start(on(2), { durationMs: 600_000 });
      const strict = createConfig(client, config.key, { schema: schema.refine(({ limit }) => limit !== 2, "not 2") });
      await using live = await strict.live({ instance: { id: "a" } });
      expect(live.current?.value.limit).toBe(1);
      expect(live.rejected?.message).toContain("not 2");
      await config.publish(on(3));
      await until(live, 3);
    });

    test("says who runs which version, and who refuses one, until they are gone", async () => {
      const { revision } = await fresh().publish(on(1));
      await using good = await config.live({ instance: { id: "good" }, acknowledge: true });
      const strict = createConfig(client, config.key, { schema: schema.refine(({ limit }) => limit < 2, "too much") });
      const bad = await strict.live({ instance: { id: "bad" }, acknowledge: { ttlSec: 5 } });
      const second = await config.publish(on(2));
      await until(good, 2);
      const seen = async () =>
        (await config.running()).map((state) => [state.instance, state.revision, state.rejected]);
      const refusal = expect.stringContaining("too much");
      await expect.poll(seen, { timeout: 20_000 }).toEqual([
        ["bad", revision, refusal],
        ["good", second.revision, undefined],
      ]);
      await bad[Symbol.asyncDispose]();
      expect(await seen()).toEqual([["good", second.revision, undefined]]);
      await expect(config.live({ acknowledge: true })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    });

    test("never shows half of a release to a configuration in layers", async () => {
      const name = `atomic-${counter++}`;
      const pair = z.object({ left: z.number(), right: z.number() });
      const layered = createLayeredConfig(client, name, {
        schema: pair.refine(({ left, right }) => left === right, "must be the same"),
        defaults: { left: 0, right: 0 },
        service: "orders",
      });
      await using live = await layered.live();
      const rejected: unknown[] = [];
      live.on("rejected", (error) => void rejected.push(error));
      // Past the check of the layers, each of which alone would be refused.
      const [left, right] = [layered.layer("global").key, layered.layer("service").key].map((key) =>
        createConfig(client, key, { schema: pair.partial() }),
      );
      for (let value = 1; value <= 10; value++)
        await publishRelease(
          client,
          [left?.draft({ left: value }), right?.draft({ right: value })].flatMap((draft) => draft ?? []),
        );
      for await (const { value } of live) if (value.left === 10) break;
      expect(rejected).toEqual([]);
    });

    test("starts from the file while the cluster is away, says so, and follows when it is back", async () => {
      const path = join(directory, "last-known-good.json");
      await fresh().publish(on(1));
      const live = await config.live({ lastKnownGood: { path } });
      await config.publish(on(2));
      await until(live, 2);
      await expect.poll(async () => JSON.parse(await readFile(path, "utf8")).revision).toBe(live.current?.revision);
      await live[Symbol.asyncDispose]();

      const [port = 0] = await freePorts(1);
      const away = createClient({ endpoints: [`127.0.0.1:${port}`] });
      const dark = createConfig(away, config.key, { schema });
      await using cold = await dark.live({ lastKnownGood: { path, waitMs: 100 } });
      expect(cold.status).toBe("coldStart");
      expect(cold.current?.value).toEqual(on(2));
      await expect(dark.live({ timeoutMs: 100 })).rejects.toMatchObject({ code: "TIMEOUT" });
      const broken = join(directory, "broken.json");
      await writeFile(broken, '{"format":1');
      const refused = dark.live({ lastKnownGood: { path: broken, waitMs: 100 } });
      await expect(refused).rejects.toMatchObject({ code: "TIMEOUT", message: expect.stringContaining("of no use") });

      await config.publish(on(3));
      const changes = changesOf(cold);
      await using _way = await forward(port, member.endpoint);
      await until(cold, 3);
      await expect.poll(() => cold.status).toBe("following");
      expect(changes).toEqual([[2, 3]]);
      await away.close();
      await expect.poll(() => cold.status).toBe("ended");
      expect((await readdir(directory)).filter((name) => name.includes("tmp"))).toEqual([]);
    });

    test("says when members cannot be reached, keeps its value, and finds what changed in between once", async () => {
      const path = join(directory, "restart.json");
      await fresh().publish(on(1));
      await using live = await config.live({ lastKnownGood: { path } });
      const changes = changesOf(live);
      const statuses: string[] = [];
      live.on("status", (status) => void statuses.push(status));
      const interrupted = new Promise((resolve) => live.once("status", resolve));
      await member.restart();
      expect(await interrupted).toBe("interrupted");
      expect(live.current?.value.limit).toBe(1);
      const { revision } = await createConfig(client, config.key, { schema }).publish(on(2), { timeoutMs: 30_000 });
      await client.compact(revision, { timeoutMs: 30_000 });
      await until(live, 2);
      await expect.poll(() => live.status, { timeout: 30_000 }).toBe("following");
      expect(changes).toEqual([[1, 2]]);
    });
  });
});
