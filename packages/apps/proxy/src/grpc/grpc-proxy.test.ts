import { utf8, utf8Text } from "@conclave/base";
import {
  allKeys,
  type ClientStream,
  createClient,
  createGrpcTransport,
  prefix as prefixOf,
  type TransportError,
} from "@conclave/client";
import { GrpcStatus } from "@conclave/protocol";
import { RangeRequest, WatchCreateRequest, WatchRequest, WatchResponse } from "@conclave/protocol/etcdserverpb";
import { freePorts, startMember, type TestMember } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type GrpcProxyOptions, startGrpcProxy } from "./grpc-proxy.ts";

// What is awaited here comes soon, but not on a machine that is busy with something else.
vi.setConfig({ testTimeout: 30_000 });

let member: TestMember;
beforeAll(async () => {
  member = await startMember();
});
afterAll(() => member[Symbol.asyncDispose]());

async function startProxy(options: Partial<GrpcProxyOptions> = {}) {
  const proxy = await startGrpcProxy({ listenUrl: "http://127.0.0.1:0", endpoints: [member.endpoint], ...options });
  return Object.assign(proxy, { [Symbol.asyncDispose]: () => proxy.close() });
}

function clientOf({ url }: { readonly url: string }) {
  return createClient({ endpoints: [url] });
}

/** A stream of watchers that keeps what it is told. */
class WatchStream {
  readonly heard: WatchResponse[] = [];
  readonly #transport = createGrpcTransport();
  readonly #stream: ClientStream;
  #wake: () => void = () => undefined;
  failure: TransportError | undefined;

  constructor({ url }: { readonly url: string }, metadata: Readonly<Record<string, string>> = {}) {
    this.#stream = this.#transport.stream(
      { endpoint: url, path: "/etcdserverpb.Watch/Watch", metadata },
      {
        onMessage: (bytes) => {
          this.heard.push(WatchResponse.decode(bytes));
          this.#wake();
        },
        onEnd: (error) => {
          this.failure = error;
          this.#wake();
        },
      },
    );
  }

  create(key: string, more: Partial<WatchCreateRequest> = {}): void {
    const value = { ...WatchCreateRequest.fromPartial({ key: utf8(key) }), ...more };
    this.#send({ requestUnion: { $case: "createRequest", value } });
  }

  cancel(watchId: bigint): void {
    this.#send({ requestUnion: { $case: "cancelRequest", value: { watchId } } });
  }

  askProgress(): void {
    this.#send({ requestUnion: { $case: "progressRequest", value: {} } });
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  #send(request: WatchRequest): void {
    this.#stream.write(WatchRequest.encode(request).finish());
  }

  /** Resolves when as many responses as that have a property. */
  async until(count: number, has: (response: WatchResponse) => boolean): Promise<readonly WatchResponse[]> {
    for (;;) {
      const found = this.heard.filter(has);
      if (found.length >= count) return found;
      if (this.failure !== undefined) throw this.failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The values that a watcher was told of, once there are as many as that. */
  async values(count: number, watchId = 0n): Promise<readonly string[]> {
    const told = () => this.heard.filter((response) => response.watchId === watchId).flatMap(({ events }) => events);
    await this.until(0, () => true);
    while (told().length < count) await this.until(this.heard.length + 1, () => true);
    return told().map(({ kv }) => utf8Text(kv?.value ?? utf8("")));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stream.cancel();
    this.#transport.close();
  }
}

const isCreated = ({ created }: WatchResponse): boolean => created;
const isCanceled = ({ canceled }: WatchResponse): boolean => canceled;
const isProgress = ({ watchId, created, canceled }: WatchResponse): boolean => watchId === -1n && !created && !canceled;

/** Names that no other test uses. */
let names = 0;
const newKey = (): string => `key-${names++}`;

async function write(keys: string, values: readonly string[]): Promise<number> {
  await using client = clientOf(member);
  let revision = 0;
  for (const value of values) revision = (await client.put(keys, value)).revision;
  return revision;
}

describe("watchers", () => {
  test("a hundred of one key share one at the member, and each hears everything once", async () => {
    const key = newKey();
    await using proxy = await startProxy();
    await using first = new WatchStream(proxy);
    await using second = new WatchStream(proxy);
    for (let count = 0; count < 50; count++) for (const stream of [first, second]) stream.create(key);
    await Promise.all([first.until(50, isCreated), second.until(50, isCreated)]);
    expect(proxy.watches).toMatchObject({ upstreamWatchers: 1, coalesced: 99 });
    await write(key, ["1", "2", "3"]);
    for (const stream of [first, second]) {
      for (let id = 0n; id < 50n; id++) expect(await stream.values(3, id)).toEqual(["1", "2", "3"]);
    }
    expect(proxy.watches.coalescedEvents).toBe(3 * 99);
    for (let id = 0n; id < 50n; id++) for (const stream of [first, second]) stream.cancel(id);
    await Promise.all([first.until(50, isCanceled), second.until(50, isCanceled)]);
    expect(proxy.watches).toMatchObject({ upstreamWatchers: 0, coalesced: 0 });
  });

  test("other options, ranges and callers have their own", async () => {
    const key = newKey();
    await using proxy = await startProxy();
    await using stream = new WatchStream(proxy);
    await using other = new WatchStream(proxy, { hasleader: "true" });
    stream.create(key);
    stream.create(key, { prevKv: true });
    stream.create(key, { rangeEnd: utf8("z") });
    stream.create(key, { filters: [0, 1] });
    stream.create(key, { filters: [1, 0, 1] });
    other.create(key);
    await Promise.all([stream.until(5, isCreated), other.until(1, isCreated)]);
    expect(proxy.watches).toMatchObject({ upstreamWatchers: 5, coalesced: 1 });
  });

  test("those that begin in the past hear it all once, then share", async () => {
    const key = newKey();
    const newest = await write(key, ["1", "2", "3"]);
    await using proxy = await startProxy();
    await using stream = new WatchStream(proxy);
    stream.create(key);
    await stream.until(1, isCreated);
    for (const back of [2, 1, 0]) stream.create(key, { startRevision: BigInt(newest - back) });
    expect(await stream.values(3, 1n)).toEqual(["1", "2", "3"]);
    expect(await stream.values(2, 2n)).toEqual(["2", "3"]);
    expect(await stream.values(1, 3n)).toEqual(["3"]);
    await write(key, ["4"]);
    expect(await stream.values(1, 0n)).toEqual(["4"]);
    expect(await stream.values(4, 1n)).toEqual(["1", "2", "3", "4"]);
    expect(await stream.values(3, 2n)).toEqual(["2", "3", "4"]);
    expect(await stream.values(2, 3n)).toEqual(["3", "4"]);
    expect(proxy.watches).toMatchObject({ upstreamWatchers: 1, coalesced: 3 });
  });

  test("those that begin right after what they have read share at once", async () => {
    const key = newKey();
    const startRevision = BigInt((await write(key, ["1"])) + 1);
    await using proxy = await startProxy();
    await using stream = new WatchStream(proxy);
    for (let count = 0; count < 10; count++) stream.create(key, { startRevision });
    await stream.until(10, isCreated);
    expect(proxy.watches).toMatchObject({ upstreamWatchers: 1, coalesced: 9 });
    await write(key, ["2"]);
    for (let id = 0n; id < 10n; id++) expect(await stream.values(1, id)).toEqual(["2"]);
  });

  test("one that begins in the future hears nothing of what is before", async () => {
    const key = newKey();
    const newest = await write(key, ["1"]);
    await using proxy = await startProxy();
    await using stream = new WatchStream(proxy);
    stream.create(key);
    stream.create(key, { startRevision: BigInt(newest + 3) });
    await stream.until(2, isCreated);
    await write(key, ["2", "3", "4"]);
    expect(await stream.values(3, 0n)).toEqual(["2", "3", "4"]);
    expect(await stream.values(1, 1n)).toEqual(["4"]);
  });

  test("a watcher of what is compacted is told so, others go on", async () => {
    const key = newKey();
    const newest = await write(key, ["1", "2"]);
    await using client = clientOf(member);
    await client.compact(newest);
    await using proxy = await startProxy();
    await using stream = new WatchStream(proxy);
    stream.create(key);
    stream.create(key, { startRevision: BigInt(newest - 1) });
    const [canceled] = await stream.until(1, isCanceled);
    expect(canceled).toMatchObject({ watchId: 1n, compactRevision: newest });
    await write(key, ["3"]);
    expect(await stream.values(1, 0n)).toEqual(["3"]);
  });

  test("ids may be chosen, but not twice", async () => {
    const key = newKey();
    await using proxy = await startProxy();
    await using stream = new WatchStream(proxy);
    stream.create(key, { watchId: 7n });
    stream.create(key, { watchId: 7n });
    const [made, refused] = await stream.until(2, isCreated);
    expect(made).toMatchObject({ watchId: 7n, canceled: false });
    expect(refused).toMatchObject({ watchId: -1n, canceled: true, cancelReason: expect.stringContaining("duplicate") });
  });

  test("progress is told once every watcher of the stream has come so far", async () => {
    const key = newKey();
    await using proxy = await startProxy();
    await using stream = new WatchStream(proxy);
    for (const name of [key, `${key}-other`]) stream.create(name);
    await stream.until(2, isCreated);
    const revision = await write(newKey(), ["1"]);
    stream.askProgress();
    const [progress] = await stream.until(1, isProgress);
    expect(progress?.header?.revision).toBe(revision);
  });

  test("a client that does not read keeps neither others waiting nor events in memory", async () => {
    const key = newKey();
    await using proxy = await startProxy();
    await using slow = new WatchStream(proxy);
    await using quick = new WatchStream(proxy);
    slow.create(key);
    quick.create(key);
    await Promise.all([slow.until(1, isCreated), quick.until(1, isCreated)]);
    slow.pause();
    const values = Array.from({ length: 24 }, (_, at) => `${at}-${"x".repeat(512 * 1024)}`);
    await write(key, values);
    const shortened = (list: readonly string[]) => list.map((value) => value.split("-")[0]);
    expect(shortened(await quick.values(24))).toEqual(shortened(values));
    expect(slow.heard.length).toBeLessThan(24);
    slow.resume();
    expect(shortened(await slow.values(24))).toEqual(shortened(values));
    await write(key, ["last"]);
    await Promise.all([slow.values(25), quick.values(25)]);
    expect(proxy.watches).toMatchObject({ upstreamWatchers: 1, coalesced: 1 });
  });

  test("they outlive their member: nothing is missing and nothing comes twice", async () => {
    const key = newKey();
    await using proxy = await startProxy();
    await using stream = new WatchStream(proxy);
    for (let count = 0; count < 3; count++) stream.create(key);
    await stream.until(3, isCreated);
    await write(key, ["1"]);
    await stream.values(1, 2n);
    await member.restart();
    await write(key, ["2", "3"]);
    for (let id = 0n; id < 3n; id++) expect(await stream.values(3, id)).toEqual(["1", "2", "3"]);
    expect(stream.heard.filter(isCreated)).toHaveLength(3);
  });

  test("when the client leaves, the member is left too", async () => {
    await using proxy = await startProxy();
    await using client = clientOf(proxy);
    const watcher = client.watch(newKey());
    await watcher.ready();
    expect(proxy.watches.upstreamWatchers).toBe(1);
    await watcher.close();
    await client.close();
    while (proxy.watches.upstreamWatchers > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  });
});

describe("reads", () => {
  test("serializable ones are answered from memory until a write through the proxy", async () => {
    const key = newKey();
    await using proxy = await startProxy();
    await using client = clientOf(proxy);
    const read = async () => (await client.range(key, { serializable: true })).kvs[0]?.valueString;
    await client.put(key, "1");
    expect([await read(), await read()]).toEqual(["1", "1"]);
    expect(proxy.cache).toMatchObject({ hits: 1 });
    await client.txn().then().commit();
    await client.put(key, "2");
    expect(await read()).toBe("2");
    await client.delete(key);
    expect(await read()).toBeUndefined();
  });

  test("a write elsewhere is noticed where somebody watches", async () => {
    const [watched, unwatched] = [newKey(), newKey()];
    await using proxy = await startProxy();
    await using client = clientOf(proxy);
    await using stream = new WatchStream(proxy);
    stream.create(watched);
    await stream.until(1, isCreated);
    const options = { serializable: true, monotonic: false };
    const read = async (key: string) => (await client.range(key, options)).kvs[0]?.valueString;
    for (const key of [watched, unwatched]) expect(await read(key)).toBeUndefined();
    for (const key of [unwatched, watched]) await write(key, ["new"]);
    await stream.values(1);
    expect([await read(watched), await read(unwatched)]).toEqual(["new", undefined]);
  });

  test("linearizable ones always go to a member", async () => {
    const key = newKey();
    await using proxy = await startProxy();
    await using client = clientOf(proxy);
    await client.get(key);
    await write(key, ["new"]);
    expect(await client.getString(key)).toBe("new");
    expect(proxy.cache.hits).toBe(0);
  });

  test("with an order asked for, none goes back behind an earlier one", async () => {
    const [key, other] = [newKey(), newKey()];
    await using proxy = await startProxy({ serializableOrdering: true });
    await using client = clientOf(proxy);
    const read = async (name: string) => (await client.range(name, { serializable: true })).kvs[0]?.valueString;
    expect([await read(key), await read(key)]).toEqual([undefined, undefined]);
    expect(proxy.cache.hits).toBe(1);
    for (const name of [key, other]) await write(name, ["new"]);
    expect([await read(other), await read(key)]).toEqual(["new", "new"]);
    await client.put(other, "newer");
    expect(await read(key)).toBe("new");
  });
});

describe("leases", () => {
  test("renewals of one lease that are asked for at once are shared", async () => {
    await using proxy = await startProxy();
    await using client = clientOf(proxy);
    const { id } = await client.lease.grant({ ttlSec: 60 });
    const before = await renewalsAtMember();
    const answers = await Promise.all(Array.from({ length: 200 }, () => client.lease.keepAliveOnce(id)));
    expect(answers.every(({ ttlSec }) => ttlSec === 60)).toBe(true);
    const renewals = (await renewalsAtMember()) - before;
    expect(renewals).toBeGreaterThan(0);
    expect(renewals).toBeLessThan(100);
  });

  test("a lease that is gone is said to be gone, and its keys are forgotten", async () => {
    const key = newKey();
    await using proxy = await startProxy();
    await using client = clientOf(proxy);
    const { id } = await client.lease.grant({ ttlSec: 60 });
    await client.put(key, "leased", { lease: id });
    const read = async () => (await client.range(key, { serializable: true, monotonic: false })).kvs.length;
    expect([await read(), await read()]).toEqual([1, 1]);
    await client.lease.revoke(id);
    expect(await read()).toBe(0);
    await expect(client.lease.keepAliveOnce(id)).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
  });
});

async function renewalsAtMember(): Promise<number> {
  const metrics = await (await fetch(`${member.url}/metrics`)).text();
  return Number(/^etcd_debugging_lease_renewed_total (\d+)/m.exec(metrics)?.[1]);
}

describe("a namespace", () => {
  test("holds what its users see, whichever way they look", async () => {
    const prefix = `${newKey()}/`;
    await using proxy = await startProxy({ namespace: prefix });
    await using inside = clientOf(proxy);
    await using outside = clientOf(member);
    await using stream = new WatchStream(proxy);
    stream.create("", { rangeEnd: utf8("\0") });
    await stream.until(1, isCreated);
    await outside.put(`${newKey()}-outside`, "hidden");
    const { id } = await inside.lease.grant({ ttlSec: 60 });
    await inside.put("a", "1", { lease: id });
    expect(await outside.getString(`${prefix}a`)).toBe("1");
    expect((await inside.range(allKeys())).kvs.map(({ keyString }) => keyString)).toEqual(["a"]);
    expect((await inside.lease.timeToLive(id, { keys: true })).keys.map(utf8Text)).toEqual(["a"]);
    const [told] = await stream.until(1, ({ events }) => events.length > 0);
    expect(utf8Text(told?.events[0]?.kv?.key ?? utf8(""))).toBe("a");
    const lock = await inside.raw.lock.lock({ name: utf8("l"), lease: id });
    expect(utf8Text(lock.key)).toMatch(/^l\//);
    expect(await outside.get(`${prefix}${utf8Text(lock.key)}`)).toBeDefined();
    const { leader } = await inside.raw.election.campaign({ name: utf8("e"), lease: id, value: utf8("me") });
    expect(utf8Text(leader?.name ?? utf8(""))).toBe("e");
    await inside.raw.election.proclaim({ leader, value: utf8("still me") });
    const seen = await inside.raw.election.leader({ name: utf8("e") });
    expect([utf8Text(seen.kv?.key ?? utf8("")), utf8Text(seen.kv?.value ?? utf8(""))]).toEqual([
      utf8Text(leader?.key ?? utf8("")),
      "still me",
    ]);
    expect((await inside.delete(allKeys())).deleted).toBe(3);
    expect((await outside.range(prefixOf(prefix))).kvs).toEqual([]);
  });
});

/** Asks a server for a key once, without a client that would try again; what fails is a status with a message. */
async function ask({ url }: { readonly url: string }, key: string): Promise<void> {
  const transport = createGrpcTransport();
  const request = RangeRequest.encode(RangeRequest.fromPartial({ key: utf8(key) })).finish();
  const call = { endpoint: url, path: "/etcdserverpb.KV/Range", request, metadata: {} };
  try {
    await transport.unary({ ...call, timeoutMs: 10_000, signal: new AbortController().signal });
  } finally {
    transport.close();
  }
}

const exhausted = (message: string) => ({
  status: GrpcStatus.ResourceExhausted,
  message: expect.stringContaining(message),
});

describe("bounds", () => {
  test("a request that is too long to be sent on is refused", async () => {
    await using proxy = await startProxy({ maxSendBytes: 1000 });
    const refusal = exhausted("trying to send message larger than max");
    await expect(ask(proxy, "x".repeat(1001))).rejects.toMatchObject(refusal);
    await ask(proxy, "short");
  });

  test("an answer that is too long is refused", async () => {
    const key = newKey();
    await write(key, ["x".repeat(2000)]);
    await using proxy = await startProxy({ maxRecvBytes: 1000 });
    await expect(ask(proxy, key)).rejects.toMatchObject(exhausted("received message larger than max"));
  });

  test("more calls than may be under way are refused", async () => {
    const name = utf8(newKey());
    await using proxy = await startProxy({ callsMax: 1 });
    await using client = clientOf(proxy);
    const [held, waiting] = [await client.lease.grant({ ttlSec: 60 }), await client.lease.grant({ ttlSec: 60 })];
    await client.raw.lock.lock({ name, lease: held.id });
    const waits = client.raw.lock.lock({ name, lease: waiting.id }, { timeoutMs: 2_000 });
    const tooMany = exhausted("etcdserver: too many requests");
    await Promise.all([
      vi.waitFor(() => expect(ask(proxy, newKey())).rejects.toMatchObject(tooMany)),
      expect(waits).rejects.toMatchObject({ name: "ConclaveError" }),
    ]);
    await vi.waitFor(() => ask(proxy, newKey()));
  });
});

describe("HTTP", () => {
  test("health and metrics are served, on the same port and on one of their own", async () => {
    await using proxy = await startProxy({ metricsUrl: "http://127.0.0.1:0" });
    for (const url of [proxy.url, proxy.metricsUrl]) {
      const get = async (path: string) => await fetch(`${url}${path}`);
      expect(await (await get("/health")).json()).toEqual({ health: "true", reason: "" });
      expect(await (await get("/proxy/health")).json()).toEqual({ health: "true", reason: "" });
      expect(await (await get("/metrics")).text()).toContain("\netcd_server_has_leader 1\n");
      expect(await (await get("/proxy/metrics")).text()).toContain("\netcd_grpc_proxy_cache_hits_total 0\n");
      expect((await get("/elsewhere")).status).toBe(404);
      expect((await fetch(`${url}/health`, { method: "POST" })).status).toBe(405);
    }
  });

  test("without a member that answers, health is refused", async () => {
    const [port = 0] = await freePorts(1);
    await using proxy = await startProxy({ endpoints: [`127.0.0.1:${port}`] });
    const health = await fetch(`${proxy.url}/health`);
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({ health: "false" });
    expect((await fetch(`${proxy.url}/metrics`)).status).toBe(500);
  });
});
