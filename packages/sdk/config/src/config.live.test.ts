import { type Client, connect } from "@conclave/client";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { createConfig, type LiveConfig } from "./index.ts";

const schema = z.object({ limit: z.number().int().min(1), mode: z.enum(["on", "off"]).default("on") });
type Settings = z.infer<typeof schema>;

let counter = 0;
const freshKey = (): string => `config/${counter++}`;

/** Waits until the value is as wanted; the test's timeout bounds it. */
async function until(live: LiveConfig<Settings>, wanted: (settings: Settings) => boolean): Promise<Settings> {
  for await (const { value } of live) if (wanted(value)) return value;
  throw new Error("the configuration ended");
}

describe.each(backEnds())("a configuration on $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "one member", { timeout: 30_000 }, () => {
    let member: BackEndMember;
    let client: Client;
    beforeAll(async () => {
      member = await start();
      client = await connect({ endpoints: [member.endpoint] });
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
    });

    test("reaches every subscriber", async () => {
      const config = createConfig(client, freshKey(), { schema });
      await config.publish({ limit: 1, mode: "on" });
      await using one = await config.live();
      await using two = await config.live();
      expect([one.current?.value.limit, two.current?.value.limit]).toEqual([1, 1]);
      await config.publish({ limit: 2, mode: "on" });
      await Promise.all([one, two].map((live) => until(live, ({ limit }) => limit === 2)));
    });

    test("refuses to publish what the schema refuses, and says why; the good value stays", async () => {
      const config = createConfig(client, freshKey(), { schema });
      await config.publish({ limit: 1, mode: "on" });
      await using live = await config.live();
      const refused = config.publish({ limit: 0, mode: "maybe" as "on" });
      await expect(refused).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("limit: "),
      });
      await expect(refused).rejects.toThrow("mode: ");
      expect(live.current?.value).toEqual({ limit: 1, mode: "on" });
      expect((await config.get())?.value).toEqual({ limit: 1, mode: "on" });
    });

    test.each(["not json", '{"limit":0}'])("keeps the last good value when someone else writes %j", async (text) => {
      const config = createConfig(client, freshKey(), { schema });
      await config.publish({ limit: 1, mode: "on" });
      await using live = await config.live();
      const invalid = new Promise((resolve) => live.once("invalid", resolve));
      await client.put(config.key, text);
      expect(await invalid).toMatchObject({ code: "DATA_LOSS" });
      expect(live.current?.value.limit).toBe(1);
      await expect(config.get()).rejects.toMatchObject({ code: "DATA_LOSS" });
      await config.publish({ limit: 2, mode: "on" });
      await until(live, ({ limit }) => limit === 2);
    });

    test("tells only of effective changes", async () => {
      const config = createConfig(client, freshKey(), { schema });
      await using live = await config.live();
      const told: number[] = [];
      live.on("change", ({ value }) => told.push(value.limit));
      for (const limit of [1, 1, 2]) await config.publish({ limit, mode: "on" });
      await until(live, ({ limit }) => limit === 2);
      expect(told).toEqual([1, 2]);
    });

    test("publishes only over the revision that was read, if asked to", async () => {
      const config = createConfig(client, freshKey(), { schema });
      const { revision } = await config.publish({ limit: 1, mode: "on" }, { ifRevision: 0 });
      await config.publish({ limit: 2, mode: "on" }, { ifRevision: revision });
      const late = config.publish({ limit: 3, mode: "on" }, { ifRevision: revision });
      await expect(late).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
      expect((await config.get())?.value.limit).toBe(2);
    });

    test("knows its history, newest first, as far as the store does", async () => {
      const config = createConfig(client, freshKey(), { schema });
      for (const limit of [1, 2, 3]) await config.publish({ limit, mode: "on" });
      const limits = async () => (await config.history()).map(({ value }) => value.limit);
      expect(await limits()).toEqual([3, 2, 1]);
      expect(await config.history({ limit: 1 })).toHaveLength(1);
      const [, second] = await config.history();
      await client.compact(second?.revision ?? 0);
      expect(await limits()).toEqual([3, 2]);
    });

    test("T25: a handler that throws does not stop the configuration", async () => {
      const config = createConfig(client, freshKey(), { schema });
      await using live = await config.live();
      const warned = new Promise((resolve) => process.once("warning", resolve));
      live.on("change", () => {
        throw new Error("a user's mistake");
      });
      await config.publish({ limit: 1, mode: "on" });
      await until(live, ({ limit }) => limit === 1);
      await warned;
      await config.publish({ limit: 2, mode: "on" });
      await until(live, ({ limit }) => limit === 2);
    });
  });
});
