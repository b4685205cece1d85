import { type Client, connect } from "@conclave/client";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRegistry, type Instance, type LiveSet } from "./index.ts";

let counter = 0;
const freshService = (): string => `service-${counter++}`;
const addresses = { http: "http://127.0.0.1:1" };

/** Waits until the set is as wanted; the test's timeout bounds it. */
async function until(set: LiveSet, wanted: (instances: readonly Instance[]) => boolean): Promise<readonly Instance[]> {
  for await (const instances of set) if (wanted(instances)) return instances;
  throw new Error("the set ended");
}
const ids = (instances: readonly Instance[]): string[] => instances.map(({ id }) => id);

describe.each(backEnds())("a registry on $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "one member", { timeout: 30_000 }, () => {
    let member: BackEndMember;
    let client: Client;
    let other: Client;
    beforeAll(async () => {
      member = await start();
      client = await connect({ endpoints: [member.endpoint] });
      other = await connect({ endpoints: [member.endpoint] });
    });
    afterAll(async () => {
      await Promise.all([client.close(), other.close()]);
      await member[Symbol.asyncDispose]();
    });

    test("shows an instance while it is registered", async () => {
      const service = freshService();
      const registry = createRegistry(client, { ttlSec: 5 });
      await using set = await createRegistry(other).discover(service);
      expect(set.instances()).toEqual([]);
      const registration = await registry.register({
        service,
        id: "a",
        addresses,
        version: "1.2",
        metadata: { k: "v" },
      });
      const [found] = await until(set, (instances) => instances.length === 1);
      expect(found).toEqual({
        service,
        id: "a",
        addresses,
        version: "1.2",
        zone: "",
        weight: 1,
        state: "up",
        metadata: { k: "v" },
      });
      await registration.deregister();
      await until(set, (instances) => instances.length === 0);
      expect(registration.state).toBe("ended");
    });

    test("tells of updates and of draining, and leaves draining instances out unless asked", async () => {
      const service = freshService();
      await using set = await createRegistry(other).discover(service);
      await using registration = await createRegistry(client).register({ service, id: "a", addresses });
      await registration.update({ weight: 3 });
      await until(set, ([instance]) => instance?.weight === 3);
      await registration.drain();
      await until(set, ([instance]) => instance?.state === "draining");
      expect(set.instances()).toEqual([]);
      expect(ids(set.instances({ draining: true }))).toEqual(["a"]);
    });

    test("T10: a service is not confused with one whose name it begins", async () => {
      const service = freshService();
      const registry = createRegistry(client);
      await using _long = await registry.register({ service: `${service}-api`, id: "x", addresses });
      await using _short = await registry.register({ service, id: "y", addresses });
      await using set = await registry.discover(service);
      expect(ids(set.instances())).toEqual(["y"]);
    });

    test("one watch follows all services", async () => {
      const registry = createRegistry(client, { prefix: "everything/" });
      await using set = await createRegistry(other, { prefix: "everything/" }).discover();
      await using _one = await registry.register({ service: "one", id: "1", addresses });
      await using _two = await registry.register({ service: "two", id: "2", addresses });
      const all = await until(set, (instances) => instances.length === 2);
      expect(all.map(({ service, id }) => `${service}/${id}`)).toEqual(["one/1", "two/2"]);
    });

    test("an instance whose lease is lost comes back by itself", async () => {
      const service = freshService();
      await using set = await createRegistry(other).discover(service);
      const changes: string[] = [];
      set.on("change", (list) => changes.push(...list.map(({ type }) => type)));
      await using registration = await createRegistry(client, { ttlSec: 6 }).register({ service, id: "a", addresses });
      await until(set, (instances) => instances.length === 1);
      const kv = await other.get(`services/${service}/a`);
      await other.lease.revoke(kv?.lease ?? 0n);
      await until(set, () => changes.join() === "added,removed,added");
      await expect.poll(() => registration.state).toBe("registered");
    });

    test("registrations of one client share one lease", async () => {
      const service = freshService();
      const registry = createRegistry(client, { ttlSec: 7 });
      await using _a = await registry.register({ service, id: "a", addresses });
      await using _b = await registry.register({ service, id: "b", addresses });
      const [a, b] = await Promise.all(["a", "b"].map((id) => client.get(`services/${service}/${id}`)));
      expect(a?.lease).toBe(b?.lease);
    });

    test("an id that someone else registered is not overwritten, unless asked to", async () => {
      const service = freshService();
      const first = await createRegistry(client).register({ service, id: "a", addresses, zone: "first" });
      const registry = createRegistry(other);
      await expect(registry.register({ service, id: "a", addresses })).rejects.toMatchObject({
        code: "ALREADY_EXISTS",
      });
      await using _second = await registry.register({ service, id: "a", addresses, zone: "second" }, { replace: true });
      await expect(first.update({ weight: 2 })).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
      expect(first.state).toBe("replaced");
      expect(await first.ended).toMatchObject({ code: "ALREADY_EXISTS" });
      await using set = await registry.discover(service);
      expect(set.instances()[0]?.zone).toBe("second");
    });

    test("what is no instance is reported and left out", async () => {
      const service = freshService();
      await using set = await createRegistry(other).discover(service);
      const invalid = new Promise((resolve) => set.once("invalid", resolve));
      await client.put(`services/${service}/bad`, "not json");
      expect(await invalid).toBe(`services/${service}/bad`);
      expect(set.instances()).toEqual([]);
    });

    test("gives a random id where none is chosen, and lists instances in order", async () => {
      const service = freshService();
      const registry = createRegistry(client);
      const registrations = await Promise.all([1, 2, 3].map(() => registry.register({ service, addresses })));
      await using set = await registry.discover(service);
      expect(ids(set.instances())).toEqual(registrations.map(({ instance }) => instance.id).sort());
      await Promise.all(registrations.map((registration) => registration.deregister()));
    });
  });
});

describe("a registry refuses", () => {
  const registry = createRegistry({
    ports: { random: { bytes: (length: number) => new Uint8Array(length) } },
  } as never);
  test.each([
    [{ service: "a/b", addresses }, "service"],
    [{ service: "", addresses }, "service"],
    [{ service: "a", id: "x y", addresses }, "id"],
    [{ service: "a", addresses, weight: -1 }, "weight"],
    [{ service: "a", addresses, wieght: 1 }, "wieght"],
  ])("%j", async (definition, option) => {
    await expect(registry.register(definition)).rejects.toThrow(option);
  });

  test("a prefix without a separator at its end", () => {
    expect(() => createRegistry({} as never, { prefix: "services" })).toThrow("must end with /");
  });
});
