/**
 * @module A fleet that lost its leases together comes back together: a grant and a put for each key, all in one instant,
 * when the cluster has just got on its feet. Here twenty processes with five services each are cut off for half a minute.
 * The other extreme is one lease for everything: when it ends a member deletes all its keys in one go. So a lease is
 * shared by a thousand at most.
 */
import { type Client, prefix } from "@conclave/client";
import { createRegistry } from "@conclave/registry";
import { SimulatedCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { naiveRegister } from "./naive/registration.ts";

const processes = 20;
const services = 5;
const ttlSec = 6;
const windowMs = 250;

type Register = (client: Client, place: { readonly service: string; readonly id: string }) => unknown;

const ours: Register = (client, place) =>
  createRegistry(client, { ttlSec }).register({ ...place, addresses: { http: "http://10.0.0.7:8080" } });

const naive: Register = (client, { service, id }) => void naiveRegister(client, `services/${service}/${id}`, ttlSec);

/** What it cost the cluster that everybody came back. */
interface Return {
  readonly leases: number;
  /** The most registrations within the window. */
  readonly mostAtOnce: number;
}

async function cutOffAndCount(register: Register): Promise<Return> {
  const cluster = new SimulatedCluster({ seed: 23 });
  return await cluster.run(async () => {
    await cluster.start();
    const fleet = Array.from({ length: processes }, () => cluster.client());
    for (const { client, name } of fleet)
      for (let at = 0; at < services; at++) void register(client, { service: `service-${at}`, id: name });
    await cluster.sleep(10_000);
    const { client } = cluster.client();
    const keys = prefix("services/");
    expect((await client.range(keys)).count).toBe(processes * services);

    for (const { name } of fleet) cluster.isolate(name);
    await cluster.sleep(30_000);
    expect((await client.range(keys)).count).toBe(0);
    const times: number[] = [];
    await using returns = client.watch(keys, { only: "put" });
    returns.on("put", () => times.push(cluster.time.monotonicMs()));
    await returns.ready();
    cluster.heal();
    await cluster.sleep(30_000);
    expect((await client.range(keys)).count).toBe(processes * services);
    const mostAtOnce = Math.max(
      ...times.map((from) => times.filter((at) => at >= from && at < from + windowMs).length),
    );
    return { leases: (await client.lease.list()).length, mostAtOnce };
  });
}

describe("T23: after an outage", () => {
  test("registrations come back spread out, with one lease for each process", async () => {
    const { leases, mostAtOnce } = await cutOffAndCount(ours);
    expect(leases).toBe(processes);
    expect(mostAtOnce).toBeLessThan((processes * services) / 2);
  });

  test("naive ones come back in one instant, with one lease for each key", async () => {
    const { leases, mostAtOnce } = await cutOffAndCount(naive);
    expect(leases).toBe(processes * services);
    expect(mostAtOnce).toBeGreaterThan((processes * services) / 2);
  });

  test("a process with many services has several leases, each with a bounded number of keys", async () => {
    const cluster = new SimulatedCluster({ seed: 24, members: 1 });
    await cluster.run(async () => {
      await cluster.start();
      const { client, name } = cluster.client();
      const observer = cluster.client().client;
      const keysByLease = async (): Promise<readonly number[]> => {
        const { instances } = await createRegistry(observer).list();
        const leases = [...new Set(instances.map(({ lease }) => lease))];
        return leases.map((lease) => instances.filter((each) => each.lease === lease).length).sort();
      };
      for (let service = 0; service < 3; service++)
        await createRegistry(client, { ttlSec }).registerAll(
          Array.from({ length: 400 }, (_, at) => ({ service: `service-${service}`, id: `${at}`, addresses: {} })),
        );
      expect(await keysByLease()).toEqual([1_000, 200]);
      cluster.isolate(name);
      await cluster.sleep(20_000);
      expect(await keysByLease()).toEqual([]);
      cluster.heal();
      await cluster.sleep(30_000);
      expect(await keysByLease()).toEqual([1_000, 200]);
    });
  });
});
