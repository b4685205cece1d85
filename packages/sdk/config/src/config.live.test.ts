import { type Client, compare, connect, op } from "@conclave/client";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { anyJson, createConfig, listConfigs, liveConfigs, publishRelease } from "./index.ts";

const schema = z.object({ limit: z.number().int().min(1), mode: z.enum(["on", "off"]).default("on") });
type Settings = z.infer<typeof schema>;

let counter = 0;
const freshKey = (): string => `config/${counter++}`;
const on = (limit: number): Settings => ({ limit, mode: "on" });

describe.each(backEnds())("a configuration on $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "one member", { timeout: 30_000 }, () => {
    let member: BackEndMember;
    let client: Client;
    beforeAll(async () => {
      member = await start();
      client = await connect({ endpoints: member.endpoints });
    });
    afterAll(async () => {
      await client.close();
      await member[Symbol.asyncDispose]();
    });

    test("gives back what was published, with its revision", async () => {
      const config = createConfig(client, freshKey(), { schema });
      expect(await config.get()).toBeUndefined();
      const { revision } = await config.publish({ limit: 5, mode: "off" });
      expect(await config.get()).toEqual({ value: { limit: 5, mode: "off" }, revision });
      expect(await client.getString(config.key)).toBe('{"limit":5,"mode":"off"}');
    });

    test("is listed by key, apart from what is no JSON and without what belongs to it", async () => {
      const key = `listed/${freshKey()}`;
      const config = createConfig(client, key, { schema: anyJson });
      await config.publish({ limit: 5 });
      const { revision } = await config.publish([1, null]);
      await client.put("listed/other", "{");
      const { configs, invalid } = await listConfigs(client, "listed/");
      expect(configs).toEqual([{ key, revision, publications: 2, sizeBytes: 8 }]);
      expect(invalid).toEqual(["listed/other"]);
      await expect(config.publish(undefined)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    });

    test("refuses to publish what the schema refuses, and says why; the good value stays", async () => {
      const config = createConfig(client, freshKey(), { schema });
      await config.publish(on(1));
      await using live = await config.live();
      const refused = config.publish({ limit: 0, mode: "maybe" as "on" });
      await expect(refused).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("limit: "),
      });
      await expect(refused).rejects.toThrow("mode: ");
      expect(live.current?.value).toEqual(on(1));
      expect((await config.get())?.value).toEqual(on(1));
    });

    test("publishes only over the revision that was read, if asked to", async () => {
      const config = createConfig(client, freshKey(), { schema });
      const { revision } = await config.publish(on(1), { ifRevision: 0 });
      await config.publish(on(2), { ifRevision: revision });
      const late = config.publish(on(3), { ifRevision: revision });
      await expect(late).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
      expect((await config.get())?.value.limit).toBe(2);
    });

    test("keeps every one of the values that many publish at once, in one order", async () => {
      const config = createConfig(client, freshKey(), { schema });
      const limits = [1, 2, 3, 4, 5];
      await Promise.all(limits.map((limit) => config.publish(on(limit))));
      const history = await config.history();
      expect(history.map(({ value }) => value.limit).sort()).toEqual(limits);
      expect(history[0]).toMatchObject((await config.get()) ?? {});
    });

    test("has a history that compaction leaves alone, bounded, with who, why and what others wrote", async () => {
      const config = createConfig(client, freshKey(), { schema, historyCount: 3 });
      for (const limit of [1, 2]) await config.publish(on(limit), { by: "ada", note: `to ${limit}` });
      const foreign = await client.put(config.key, '{"limit":3}');
      expect((await config.history()).map(({ value }) => value.limit)).toEqual([3, 2, 1]);
      const last = await config.publish(on(4), { by: "grace" });
      await client.compact(last.revision);
      const history = await config.history();
      expect(history.map(({ value, notes }) => [value.limit, notes?.by, notes?.note])).toEqual([
        [4, "grace", undefined],
        [3, undefined, undefined],
        [2, "ada", "to 2"],
      ]);
      expect(history[1]?.revision).toBe(foreign.revision);
      expect(await config.history({ limit: 1 })).toHaveLength(1);
      expect(await config.usage()).toMatchObject({ publications: 3, historyCount: 3, maxBytes: 262_144 });
    });

    test("goes back to the valid value before, or to that of a revision, also after a compaction", async () => {
      const config = createConfig(client, freshKey(), { schema });
      await expect(config.rollback()).rejects.toMatchObject({ code: "NOT_FOUND" });
      const first = await config.publish(on(1));
      await expect(config.rollback()).rejects.toMatchObject({ code: "NOT_FOUND" });
      await config.publish(on(2));
      await client.put(config.key, "{}");
      await config.publish(on(3));
      expect((await config.rollback()).value.limit).toBe(2);
      await client.compact((await config.get())?.revision ?? 0);
      const last = await config.rollback({ toRevision: first.revision });
      expect(last.value.limit).toBe(1);
      expect(last.revision).toBeGreaterThan(first.revision);
      expect(await config.get()).toEqual(last);
      expect((await config.history())[0]?.notes?.rollbackTo).toBe(first.revision);
      await expect(config.rollback({ toRevision: last.revision + 5 })).rejects.toMatchObject({ code: "NOT_FOUND" });
    });

    test("tells what is different between two publications", async () => {
      const config = createConfig(client, freshKey(), { schema: anyJson });
      const first = await config.publish({ limit: 1, zones: ["a"] });
      await expect(config.diff()).rejects.toMatchObject({ code: "NOT_FOUND" });
      const second = await config.publish({ limit: 1, zones: ["a", "b"] });
      const third = await config.publish({ zones: [] });
      expect(await config.diff()).toEqual({
        from: second.revision,
        to: third.revision,
        differences: [
          { path: ["limit"], before: 1, after: undefined },
          { path: ["zones", 0], before: "a", after: undefined },
          { path: ["zones", 1], before: "b", after: undefined },
        ],
      });
      const { differences } = await config.diff({ from: first.revision, to: second.revision });
      expect(differences).toEqual([{ path: ["zones", 1], before: undefined, after: "b" }]);
    });

    test("is released together with others: all in one revision, or none", async () => {
      const [one, two] = [freshKey(), freshKey()].map((key) => createConfig(client, key, { schema }));
      if (one === undefined || two === undefined) throw new Error("two keys make two configurations");
      const release = await publishRelease(client, [one.draft(on(1)), two.draft(on(2), { ifRevision: 0 })]);
      expect(release.versions.map(({ value }) => value.limit)).toEqual([1, 2]);
      for (const config of [one, two]) {
        expect((await config.get())?.revision).toBe(release.revision);
        expect((await config.history())[0]?.notes?.release).toBe(release.id);
      }
      const stale = publishRelease(client, [one.draft(on(3)), two.draft(on(4), { ifRevision: 0 })]);
      await expect(stale).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
      const bad = publishRelease(client, [one.draft(on(3)), two.draft(on(0))]);
      await expect(bad).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      expect((await one.get())?.value.limit).toBe(1);
      await expect(publishRelease(client, [one.draft(on(1)), one.draft(on(2))])).rejects.toThrow("twice");
    });

    test("refuses what does not fit: a value, a release, a key", async () => {
      const config = createConfig(client, freshKey(), { schema: anyJson, maxBytes: 10 });
      await expect(config.publish("0123456789")).rejects.toMatchObject({ code: "REQUEST_TOO_LARGE" });
      const many = Array.from({ length: 33 }, () => createConfig(client, freshKey(), { schema: anyJson }).draft(1));
      await expect(publishRelease(client, many)).rejects.toMatchObject({ code: "TOO_MANY_OPS" });
      expect((await publishRelease(client, many.slice(1))).versions).toHaveLength(32);
      expect(() => createConfig(client, "a!b", { schema })).toThrow("must not contain");
      expect(() => createConfig(client, "a", { schema, historyCount: 1 })).toThrow("historyCount");
      const largest = createConfig(client, freshKey(), { schema: anyJson, maxBytes: 480 * 1_024 });
      for (const letter of ["a", "b"]) {
        await client.put(largest.key, JSON.stringify(letter.repeat(480 * 1_024 - 2)));
        await largest.publish(letter.toUpperCase().repeat(480 * 1_024 - 2));
      }
    });

    test("is followed together with all others under a prefix, each revision whole", async () => {
      const under = (name: string) => createConfig(client, `together/${name}`, { schema });
      await under("a").publish(on(1));
      await using configs = await liveConfigs(client, "together/", { schema });
      expect([...configs.current].map(([key, { value }]) => [key, value.limit])).toEqual([["together/a", 1]]);
      const told: string[] = [];
      const limitOf = (version: { readonly value: Settings } | undefined) => version?.value.limit ?? "-";
      configs.on("change", (changes) => {
        told.push(
          changes.map(({ key, previous, current }) => `${key} ${limitOf(previous)}>${limitOf(current)}`).join(),
        );
      });
      configs.on("rejected", ({ code }, key) => void told.push(`${key} ${code}`));
      await publishRelease(client, [under("a").draft(on(2)), under("b").draft(on(3))]);
      await client.put("together/a", "{}");
      await client.delete("together/b");
      for await (const current of configs) if (!current.has("together/b")) break;
      expect(told.map((changes) => changes.split(",").sort().join())).toEqual([
        "together/a 1>2,together/b ->3",
        "together/a DATA_LOSS",
        "together/b 3>-",
      ]);
      expect(configs.current.get("together/a")?.value.limit).toBe(2);
    });

    test("leaves the store to those who write a value and something else in one step", async () => {
      const config = createConfig(client, freshKey(), { schema });
      await client.txn().if(compare.version(config.key).equal(0)).then(op.put(config.key, '{"limit":7}')).commit();
      expect((await config.get())?.value).toEqual(on(7));
    });
  });
});
