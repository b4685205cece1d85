/** @module A live set of ten thousand instances: how long it takes to fill and to follow, and what it holds in memory. */
import { type Client, connect, op } from "@conclave/client";
import { createRegistry, type LiveSet } from "@conclave/registry";
import type { Load, Measurement } from "../load.ts";
import type { Subject } from "../subject.ts";

const instances = 10_000;
const services = 10;
const perTxn = 100;
const updates = 1_000;

function putOf(at: number, weight: number) {
  const [service, id] = [`service-${at % services}`, `instance-${at}`];
  const addresses = { http: `http://10.1.${at >> 8}.${at & 255}:8080`, grpc: `10.1.${at >> 8}.${at & 255}:9090` };
  const instance = { service, id, addresses, version: "1.2.3", zone: "eu-1", weight, health: "passing" };
  const stored = { ...instance, state: "up", owner: "bench", metadata: { shard: `${at % 64}`, rack: `${at % 12}` } };
  return op.put(`services/${service}/${id}`, JSON.stringify(stored));
}

async function withClient<T>({ url }: Subject, work: (client: Client) => Promise<T>): Promise<T> {
  await using client = await connect({ endpoints: [url] });
  return await work(client);
}

/** Writes the instances, as they would be registered, without leases: what is measured is the reader. */
function fill(subject: Subject): Promise<void> {
  return withClient(subject, async (client) => {
    for (let from = 0; from < instances; from += perTxn)
      await client
        .txn()
        .then(...Array.from({ length: perTxn }, (_, at) => putOf(from + at, 1)))
        .commit();
  });
}

async function openFull(client: Client): Promise<LiveSet> {
  const set = await createRegistry(client).discover();
  if (set.instances().length !== instances) throw new Error(`the set has ${set.instances().length} instances`);
  return set;
}

/** From the question to a list of all of them. */
function open(subject: Subject): Promise<Measurement> {
  return withClient(subject, async (client) => {
    const startMs = performance.now();
    await using _set = await openFull(client);
    return { value: performance.now() - startMs };
  });
}

/** Changes per second that a set takes, with a look at it after each. */
function follow(subject: Subject): Promise<Measurement> {
  return withClient(subject, async (client) => {
    await using set = await openFull(client);
    let seen = 0;
    const all = new Promise<void>((resolve) => {
      set.on("change", (changes) => {
        seen += changes.length;
        set.instances({ service: "service-0" });
        if (seen >= updates) resolve();
      });
    });
    const weight = 2 + (performance.now() % 1_000);
    const startMs = performance.now();
    await Promise.all(Array.from({ length: updates }, (_, at) => client.do(putOf(at, weight))));
    await all;
    return { value: (updates * 1_000) / (performance.now() - startMs) };
  });
}

/** Heap that a set keeps alive, in MB. */
function memory(subject: Subject): Promise<Measurement> {
  return withClient(subject, async (client) => {
    const before = heapBytes();
    await using set = await openFull(client);
    const value = (heapBytes() - before) / 1e6;
    if (set.instances().length !== instances) throw new Error("the set is kept alive until it was weighed");
    return { value };
  });
}

/** The heap in use, without garbage if Node was started with `--expose-gc`. */
function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** The loads. */
export const liveSetLoads: readonly Load[] = [
  { name: "live-set-10k-open", unit: "ms", better: "lower", prepare: fill, measure: open },
  { name: "live-set-10k-changes", unit: "/s", better: "higher", prepare: fill, measure: follow },
  { name: "live-set-10k-memory", unit: "MB", better: "lower", prepare: fill, measure: memory },
];
