import { type Client, connect } from "@conclave/client";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { createRegistry, type Instance, type LiveSet, type Registration } from "./index.ts";

let counter = 0;
const freshService = (): string => `service-${counter++}`;
const addresses = { http: "http://127.0.0.1:1" };

/** Waits until the set is as wanted; the test's timeout bounds it. */
async function until(set: LiveSet, wanted: (instances: readonly Instance[]) => boolean): Promise<readonly Instance[]> {
  for await (const instances of set) if (wanted(instances)) return instances;
  throw new Error("the set ended");
}
/** Resolves when everybody can see that the instance is about to leave, which it then does not for as long as a test takes. */
async function markDraining(registration: Registration): Promise<void> {
  const marked = new Promise<void>((resolve) => registration.once("draining", resolve));
  registration.drain({ graceMs: 60_000 }).catch(() => {});
  await marked;
}
const ids = (instances: readonly Pick<Instance, "id">[]): string[] => instances.map(({ id }) => id);

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
        health: "passing",
        state: "up",
        metadata: { k: "v" },
      });
      await registration.deregister();
      await until(set, (instances) => instances.length === 0);
      expect(registration.state).toBe("ended");
    });

    test("is listed with the leases and revisions of its instances", async () => {
      const service = freshService();
      const registry = createRegistry(client, { ttlSec: 5 });
      const beforeMs = Date.now();
      await using registration = await registry.register({ service, id: "a", addresses });
      await markDraining(registration);
      await client.put(`services/${service}/broken`, "{}");
      const { instances, invalid, revision } = await createRegistry(other).list(service);
      expect(invalid).toEqual([`services/${service}/broken`]);
      const [listed] = instances;
      expect(listed).toMatchObject({ instance: { id: "a", state: "draining" }, key: `services/${service}/a` });
      expect((await client.lease.timeToLive(listed?.lease ?? 0n)).grantedTtlSec).toBe(5);
      expect(listed?.registeredAtMs).toBeGreaterThanOrEqual(Math.floor(beforeMs));
      expect(listed?.registeredAtMs).toBeLessThanOrEqual(Date.now());
      expect(listed?.registeredRevision).toBeLessThan(listed?.revision ?? 0);
      expect(listed?.revision).toBeLessThan(revision);
      expect((await registry.list()).instances.map(({ key }) => key)).toContain(listed?.key);
      await expect(registry.list("a/b")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    });

    test("tells of updates and of draining, and leaves draining instances out unless asked", async () => {
      const service = freshService();
      await using set = await createRegistry(other).discover(service);
      await using registration = await createRegistry(client).register({ service, id: "a", addresses });
      await registration.update({ weight: 3 });
      await until(set, ([instance]) => instance?.weight === 3);
      const drained = registration.drain({ graceMs: 100 });
      await until(set, ([instance]) => instance?.state === "draining");
      expect(set.instances()).toEqual([]);
      expect(ids(set.instances({ draining: true }))).toEqual(["a"]);
      await drained;
      expect(registration.state).toBe("ended");
      await until(set, (instances) => instances.length === 0);
    });

    test("a drain that is aborted leaves the instance draining", async () => {
      await using registration = await createRegistry(client).register({ service: freshService(), addresses });
      const changedMind = new AbortController();
      registration.once("draining", () => changedMind.abort(new Error("stay")));
      await expect(registration.drain({ graceMs: 60_000, signal: changedMind.signal })).rejects.toMatchObject({
        code: "ABORTED",
      });
      expect(registration.instance.state).toBe("draining");
      expect(registration.state).toBe("registered");
    });

    test("an instance says how it is, and is left out of the set while that is critical", async () => {
      const service = freshService();
      await using set = await createRegistry(other).discover(service);
      await using registration = await createRegistry(client).register({ service, id: "a", addresses });
      await registration.update({ health: "critical" });
      await until(set, ([instance]) => instance?.health === "critical");
      expect(set.instances()).toEqual([]);
      expect(ids(set.instances({ critical: true }))).toEqual(["a"]);
      await registration.update({ health: "warning" });
      await until(set, ([instance]) => instance?.health === "warning");
      expect(ids(set.instances())).toEqual(["a"]);
    });

    test("metadata is what its schema says, when it is registered and when it is read", async () => {
      const service = freshService();
      const metadata = z.object({ shards: z.array(z.number().int()), since: z.coerce.date() });
      const typed = createRegistry(client, { metadata });
      const since = new Date(86_400_000);
      await using registration = await typed.register({
        service,
        id: "a",
        addresses,
        metadata: { shards: [1], since },
      });
      await using set = await typed.discover(service);
      expect(set.instances()[0]?.metadata).toEqual({ shards: [1], since });
      expectTypeOf(set.instances()).toEqualTypeOf<readonly Instance<z.output<typeof metadata>>[]>();
      await expect(registration.update({ metadata: { shards: [0.5], since } })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("shards.0"),
      });
      // Others find an instance that is none of theirs.
      const { instances, invalid } = await createRegistry(other).list(service);
      expect([instances, invalid]).toEqual([[], [`services/${service}/a`]]);
    });

    test("one watch follows those services that a pattern names, or several", async () => {
      const registry = createRegistry(client, { prefix: "patterns/" });
      await using _one = await registry.register({ service: "orders-eu", id: "1", addresses });
      await using _two = await registry.register({ service: "orders-us", id: "2", addresses });
      await using _other = await registry.register({ service: "users", id: "3", addresses });
      await using orders = await registry.discover("orders-*");
      await using several = await registry.discover(["users", "*-us"]);
      expect(ids(orders.instances())).toEqual(["1", "2"]);
      expect(ids(orders.instances({ service: "orders-us" }))).toEqual(["2"]);
      expect(ids(several.instances())).toEqual(["2", "3"]);
      expect((await registry.list("orders-*")).instances).toHaveLength(2);
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
      await using bare = await createRegistry(other).discover(service, { protection: false });
      const [changes, bareChanges]: [string[], string[]] = [[], []];
      const held: string[][] = [];
      set.on("change", (list) => changes.push(...list.map(({ type }) => type)));
      set.on("held", (instances) => held.push(ids(instances)));
      bare.on("change", (list) => bareChanges.push(...list.map(({ type }) => type)));
      await using registration = await createRegistry(client, { ttlSec: 6 }).register({ service, id: "a", addresses });
      await until(set, (instances) => instances.length === 1);
      const kv = await other.get(`services/${service}/a`);
      await other.lease.revoke(kv?.lease ?? 0n);
      await until(bare, () => bareChanges.join() === "added,removed,added");
      await expect.poll(() => held).toEqual([["a"], []]);
      // It was the only one, so that it was held until it was back.
      expect(changes).toEqual(["added"]);
      await expect.poll(() => registration.state).toBe("registered");
    });

    test("chooses among instances, and only of those that take requests", async () => {
      const service = freshService();
      const registry = createRegistry(client);
      await using picker = await registry.balance(service, { policy: "round-robin" });
      expect(() => picker.pick()).toThrow(expect.objectContaining({ code: "UNAVAILABLE", retryable: true }));
      await using _a = await registry.register({ service, id: "a", addresses });
      await using b = await registry.register({ service, id: "b", addresses });
      await until(picker.set, (instances) => instances.length === 2);
      const picked = (): Set<string> => new Set([1, 2, 3, 4].map(() => picker.pick().instance.id));
      expect(picked()).toEqual(new Set(["a", "b"]));
      expect(picker.pick({ except: new Set(["a"]) }).instance.id).toBe("b");
      await b.update({ weight: 0 });
      await until(picker.set, (instances) => instances.some(({ weight }) => weight === 0));
      expect(picked()).toEqual(new Set(["a"]));
    });

    test("reads the layouts of etcd's endpoints and of kratos, and leaves them alone", async () => {
      const endpoints = createRegistry(client, { layout: "etcd-endpoints", prefix: "grpc/" });
      await client.put("grpc/echo/one", '{"Op":0,"Addr":"10.0.0.1:9090","Metadata":null}');
      await client.put("grpc/echo/two", '{"Op":0,"Addr":"10.0.0.2:9090","Metadata":{"az":"b","shards":[1]}}');
      await using echo = await endpoints.discover("echo");
      expect(echo.instances().map(({ id, addresses, metadata }) => ({ id, addresses, metadata }))).toEqual([
        { id: "one", addresses: { grpc: "10.0.0.1:9090" }, metadata: {} },
        { id: "two", addresses: { grpc: "10.0.0.2:9090" }, metadata: { az: "b", shards: "[1]" } },
      ]);
      await expect(endpoints.register({ service: "echo", addresses })).rejects.toThrow("it is read only");

      const kratos = createRegistry(client, { layout: "kratos" });
      const document = {
        ...{ id: "x1", name: "shop", version: "v2", metadata: { weight: "30" } },
        endpoints: ["http://10.0.0.3:8000?isSecure=false", "grpc://10.0.0.3:9000?isSecure=true"],
      };
      await client.put("/microservices/shop/x1", JSON.stringify(document));
      const [shop] = (await kratos.list("shop")).instances;
      expect(shop?.instance).toMatchObject({
        ...{ service: "shop", id: "x1", version: "v2", weight: 30 },
        addresses: { http: "http://10.0.0.3:8000", grpcs: "10.0.0.3:9000" },
      });
    });

    test("registrations of one client share one lease", async () => {
      const service = freshService();
      const registry = createRegistry(client, { ttlSec: 7 });
      await using _a = await registry.register({ service, id: "a", addresses });
      await using _b = await registry.register({ service, id: "b", addresses });
      const [a, b] = await Promise.all(["a", "b"].map((id) => client.get(`services/${service}/${id}`)));
      expect(a?.lease).toBe(b?.lease);
    });

    test("many are registered together in few transactions, or none of them", async () => {
      const [service, taken] = [freshService(), freshService()];
      const transactions: string[] = [];
      await using counted = await connect({
        endpoints: [member.endpoint],
        interceptors: [
          (next) => async (request) => {
            if (request.path.endsWith("/Txn")) transactions.push(request.path);
            return await next(request);
          },
        ],
      });
      const registry = createRegistry(counted);
      const definitions = Array.from({ length: 250 }, (_, at) => ({ service, id: `i${at}`, addresses }));
      const registrations = await registry.registerAll(definitions);
      expect(transactions).toHaveLength(3);
      expect(registrations.map(({ instance, state }) => [instance.id, state])).toEqual(
        definitions.map(({ id }) => [id, "registered"]),
      );
      const { instances } = await registry.list(service);
      expect(instances).toHaveLength(250);
      expect(new Set(instances.map(({ lease }) => lease)).size).toBe(1);
      await registrations[7]?.update({ weight: 2 });
      await registrations[8]?.deregister();
      expect((await registry.list(service)).instances).toHaveLength(249);

      await using _first = await createRegistry(client).register({ service: taken, id: "i120", addresses });
      const others = definitions.map(({ id }) => ({ service: taken, id, addresses }));
      await expect(registry.registerAll(others)).rejects.toMatchObject({
        code: "ALREADY_EXISTS",
        message: expect.stringContaining(`${taken}/i120`),
      });
      await expect.poll(async () => (await registry.list(taken)).instances.length, { timeout: 10_000 }).toBe(1);
      for (const bad of [[], [others[0], others[0]], Array.from({ length: 1_001 }, () => ({ service, addresses }))])
        await expect(registry.registerAll(bad as typeof others)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
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

    test("a set and its instances outlive a restart of the store, and those that come after it are seen", async () => {
      const service = freshService();
      await using set = await createRegistry(other).discover(service);
      await using _a = await createRegistry(client, { ttlSec: 20 }).register({ service, id: "a", addresses });
      await until(set, (instances) => instances.length === 1);
      const sizes: number[] = [];
      const states: string[] = [];
      set.on("change", () => sizes.push(set.instances().length));
      set.on("state", (state) => states.push(state));
      await member.restart();
      await using _b = await createRegistry(client, { ttlSec: 20 }).register(
        { service, id: "b", addresses },
        { timeoutMs: 20_000 },
      );
      await until(set, (instances) => instances.length === 2);
      expect(sizes).toEqual([2]);
      expect(states).toContain("live");
      expect(set.state).toBe("live");
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
    [{ service: "a*", addresses }, "service"],
    [{ service: "a", addresses, weight: -1 }, "weight"],
    [{ service: "a", addresses, metadata: { a: 1 } as never }, "metadata"],
    [{ service: "a", addresses, wieght: 1 }, "wieght"],
  ])("%j", async (definition, option) => {
    await expect(registry.register(definition)).rejects.toThrow(option);
  });

  test("a prefix without a separator at its end", () => {
    expect(() => createRegistry({} as never, { prefix: "services" })).toThrow("must end with /");
  });
});
