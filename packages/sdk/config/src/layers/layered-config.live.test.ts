import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, type Codec, connect, jsonCodec, prefix } from "@conclave/client";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { createConfig, createLayeredConfig, type LayeredConfigOptions } from "../index.ts";

const schema = z.object({
  timeoutMs: z.number().min(1),
  retry: z.object({ times: z.number(), on: z.array(z.string()) }),
});
type Http = z.infer<typeof schema>;
const defaults = { timeoutMs: 1_000, retry: { times: 3, on: ["reset"] } };
const json = jsonCodec<unknown>();

function encrypted(key: Uint8Array): Codec<unknown> {
  return {
    encode(value) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", key, nonce);
      const sealed = Buffer.concat([cipher.update(json.encode(value)), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
    },
    decode(bytes) {
      const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12));
      decipher.setAuthTag(bytes.subarray(12, 28));
      return json.decode(Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]));
    },
  };
}

describe.each(backEnds())("layers and secrets on $name", ({ absent, start }) => {
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

    let counter = 0;
    const fresh = (options: Partial<LayeredConfigOptions<Http>> = {}) =>
      createLayeredConfig(client, `http-${counter++}`, {
        ...{ schema, defaults, service: "orders", instance: { id: "orders-1" } },
        ...options,
      });

    test("each wins over those before: defaults, global, service, instance, environment", async () => {
      const http = fresh({ environment: { prefix: "HTTP_", record: { HTTP_RETRY__TIMES: "5" } } });
      expect(await http.get()).toMatchObject({
        value: { ...defaults, retry: { times: 5, on: ["reset"] } },
        revision: 0,
      });
      await http.layer("global").publish({ timeoutMs: 2_000, retry: { times: 4 } });
      await http.layer("instance").publish({ timeoutMs: 4_000 });
      const { revision } = await http.layer("service").publish({ timeoutMs: 3_000, retry: { on: ["timeout"] } });
      expect(await http.get()).toEqual({
        value: { timeoutMs: 4_000, retry: { times: 5, on: ["timeout"] } },
        revision,
        gray: false,
      });
      expect(http.layer("service").key).toBe(`config/service/orders/${http.name}`);
    });

    test("a layer is published only if what all of them make is valid, now and when it comes into force", async () => {
      const http = fresh();
      const timeless = http.layer("global").publish({ timeoutMs: null });
      await expect(timeless).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      await http.layer("service").publish({ timeoutMs: 5 });
      await http.layer("global").publish({ timeoutMs: null });
      // Each alone is fine, both are not: one of them must lose.
      const both = [http.layer("service").publish({}), http.layer("global").publish({ timeoutMs: 7 })];
      await Promise.allSettled(both);
      expect((await http.get())?.value.timeoutMs).toBeGreaterThan(0);
      const list = [] as unknown as object;
      await expect(http.layer("global").publish(list)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    });

    test("a gray release of a layer reaches the instance, merged like any other value", async () => {
      const http = fresh();
      await http.layer("global").publish({ timeoutMs: 2_000 });
      await using live = await http.live();
      await http.layer("global").gray.start({ timeoutMs: 9_000 }, { durationMs: 600_000 });
      for await (const { value, gray } of live) {
        if (value.timeoutMs !== 9_000) continue;
        expect({ value, gray }).toEqual({ value: { ...defaults, timeoutMs: 9_000 }, gray: true });
        break;
      }
      expect((await http.get())?.value.timeoutMs).toBe(2_000);
    });

    test("only what it was made with can be used", () => {
      expect(() => fresh({ service: undefined }).layer("service")).toThrow('without the layer "service"');
      expect(() => fresh({ service: "a/b" })).toThrow("service");
      expect(() => createLayeredConfig(client, "a!b", { schema })).toThrow("name");
    });

    test("an encrypted document is nowhere in the clear: not in the store, its history, or the file", async () => {
      const directory = await mkdtemp(join(tmpdir(), "conclave-secret-"));
      const path = join(directory, "secret.json");
      const key = randomBytes(32);
      const secret = z.object({ password: z.string() });
      const config = createConfig(client, "secret/database", { schema: secret, codec: encrypted(key) });
      await config.publish({ password: "correct horse" });
      await config.gray.start({ password: "battery horse" }, { durationMs: 60_000 });
      await using live = await config.live({ instance: { id: "a" }, lastKnownGood: { path } });
      expect(live.current?.value.password).toBe("battery horse");
      expect((await config.history())[0]?.value.password).toBe("correct horse");
      const stored = await client.range(prefix("secret/"));
      expect(stored.count).toBe(3);
      const file = JSON.parse(await readFile(path, "utf8")).documents[0];
      const decoded = [file.base.value, file.gray.value].map((text: string) => Buffer.from(text, "base64").toString());
      expect([...stored.kvs.map(({ valueString }) => valueString), ...decoded].join()).not.toContain("horse");

      const stranger = createConfig(client, config.key, { schema: secret, codec: encrypted(randomBytes(32)) });
      await expect(stranger.get()).rejects.toMatchObject({ code: "DATA_LOSS" });
      expect(await stranger.history()).toEqual([]);
      await config.gray.promote();
      expect((await config.get())?.value.password).toBe("battery horse");
      await rm(directory, { recursive: true });
    });
  });
});
