/** @module Clients of a cluster that know only a proxy: etcdctl, conclavectl and the client of this house. */
import { type Client, createClient, prefix } from "@conclave/client";
import { createLock } from "@conclave/lock";
import { type ClusterProcesses, startCluster } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { conclave, makePlace } from "./conclave.ts";
import { ctl, etcdctlAbsence, type ProxyProcess, startGatewayProcess, startGrpcProxyProcess } from "./proxies.ts";

let cluster: ClusterProcesses;
beforeAll(async () => {
  cluster = await startCluster({ size: 3 });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const endpointsFlag = (): string => `--endpoints=${cluster.endpoints.join()}`;
const clientOf = ({ endpoint }: { readonly endpoint: string }): Client => createClient({ endpoints: [endpoint] });
const patient = { timeout: 20_000, interval: 50 };

/** The sum of a metric over all members. */
async function sumOf(metric: string): Promise<number> {
  const values = await Promise.all(
    cluster.members.map(async ({ url }) => {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      const [, value] = new RegExp(`^${metric} (\\S+)$`, "m").exec(metrics) ?? [];
      if (value === undefined) throw new Error(`there is no ${metric} at ${url}`);
      return Number(value);
    }),
  );
  return values.reduce((sum, value) => sum + value, 0);
}

const absent = etcdctlAbsence();

/** Everything that etcdctl does with one endpoint, and what it must print. */
function describeEtcdctl(endpoint: () => string): void {
  const run = (...args: readonly string[]) => ctl("etcdctl", [`--endpoints=${endpoint()}`])(args);
  const out = async (...args: readonly string[]) => (await run(...args)).out;

  test.skipIf(absent)(`keys, transactions and leases ${absent ?? ""}`, async () => {
    expect(await out("put", "ctl/a", "1")).toBe("OK\n");
    expect(await out("get", "ctl/a")).toBe("ctl/a\n1\n");
    expect(await out("get", "ctl/a", "--consistency=s", "--print-value-only")).toBe("1\n");
    const txn = 'value("ctl/a") = "1"\n\nput ctl/b 2\nget ctl/a\n\n\n';
    expect((await ctl("etcdctl", [`--endpoints=${endpoint()}`])(["txn"], { stdin: txn })).out).toBe(
      "SUCCESS\n\nOK\n\nctl/a\n1\n",
    );
    const [, lease = ""] = /lease (\w+) granted with TTL\(60s\)/.exec(await out("lease", "grant", "60")) ?? [];
    expect(await out("put", "ctl/leased", "x", `--lease=${lease}`)).toBe("OK\n");
    expect(await out("lease", "keep-alive", "--once", lease)).toBe(`lease ${lease} keepalived with TTL(60)\n`);
    expect(await out("lease", "timetolive", lease, "--keys")).toContain("attached keys([ctl/leased])");
    expect(await out("lease", "list")).toContain(lease);
    expect(await out("lease", "revoke", lease)).toBe(`lease ${lease} revoked\n`);
    expect(await out("get", "ctl/", "--prefix", "--keys-only")).toBe("ctl/a\n\nctl/b\n\n");
    expect(await out("del", "ctl/", "--prefix")).toBe("2\n");
  });

  test.skipIf(absent)(`locks, elections and the cluster ${absent ?? ""}`, async () => {
    expect(await out("lock", "ctl-lock", "echo", "mine")).toBe("mine\n");
    const elected = await ctl("etcdctl", [`--endpoints=${endpoint()}`])(["elect", "ctl-election", "me"], {
      untilPrinted: "me\n",
    });
    expect(elected.out).toMatch(/^ctl-election\/[0-9a-f]+\nme\n$/);
    expect(await out("get", "ctl-election/", "--prefix")).toBe("");
    expect((await run("endpoint", "health")).status).toBe(0);
    expect(await out("endpoint", "status")).toMatch(/^127\.0\.0\.1:\d+, [0-9a-f]+, 3\.6\.\d+, /);
    expect(await out("endpoint", "hashkv")).toMatch(/^127\.0\.0\.1:\d+, \d+\n$/);
    expect((await run("member", "list")).status).toBe(0);
    expect(await out("alarm", "list")).toBe("");
    expect(await out("defrag")).toContain("Finished defragmenting");
    expect((await run("compaction", "999999")).err).toContain("required revision is a future revision");
  });
}

describe("the gateway", () => {
  let gateway: ProxyProcess;
  beforeAll(async () => {
    gateway = await startGatewayProcess([endpointsFlag(), "--retry-delay=200ms"]);
  });
  afterAll(() => gateway?.[Symbol.asyncDispose]());

  describe("etcdctl", () => describeEtcdctl(() => gateway.endpoint));

  test("leads connections to the members in turn, past one that is down, and to it when it is back", async () => {
    const memberAsked = async () => {
      await using client = clientOf(gateway);
      return (await client.maintenance.status({ endpoint: gateway.endpoint })).header.memberId;
    };
    const inTurn = [await memberAsked(), await memberAsked(), await memberAsked()];
    expect(new Set(inTurn).size).toBe(3);
    await using client = clientOf(gateway);
    const watcher = client.watch("gateway/watched");
    await watcher.ready();
    const [first] = cluster.members;
    if (first === undefined) throw new TypeError("a cluster has members");
    const firstId = (await first.status()).header.memberId;
    await first.kill();
    await cluster.waitForLeader();
    for (let count = 0; count < 4; count++) expect(await memberAsked()).not.toBe(firstId);
    expect(gateway.log).toContain('"msg":"deactivated endpoint"');
    await client.put("gateway/watched", "while one is down", { idempotent: true });
    for await (const { events } of watcher) {
      expect(events.map(({ kv }) => kv.valueString)).toEqual(["while one is down"]);
      break;
    }
    await first.restart();
    await vi.waitFor(async () => expect(await memberAsked()).toBe(firstId), patient);
    expect(gateway.log).toContain('"msg":"activated endpoint"');
  });
});

describe("the gRPC proxy", () => {
  let proxy: ProxyProcess;
  beforeAll(async () => {
    proxy = await startGrpcProxyProcess([endpointsFlag()]);
  });
  afterAll(() => proxy?.[Symbol.asyncDispose]());

  describe("etcdctl", () => describeEtcdctl(() => proxy.endpoint));

  test("a hundred clients that watch a key cost the cluster one watcher, and go on when its member is killed", async () => {
    const before = await sumOf("etcd_debugging_mvcc_watcher_total");
    const clients = Array.from({ length: 10 }, () => clientOf(proxy));
    const watchers = clients.flatMap((client) => Array.from({ length: 10 }, () => client.watch("proxy/watched")));
    const heard: string[][] = watchers.map(() => []);
    watchers.forEach((watcher, at) => {
      watcher.on("put", ({ kv }) => void heard[at]?.push(kv.valueString));
    });
    await Promise.all(watchers.map((watcher) => watcher.ready()));
    await vi.waitFor(async () => expect(await sumOf("etcd_debugging_mvcc_watcher_total")).toBe(before + 1), patient);
    await using writer = createClient({ endpoints: [...cluster.endpoints] });
    await writer.put("proxy/watched", "1");
    await vi.waitFor(() => expect(heard).toEqual(watchers.map(() => ["1"])), patient);

    const metrics = await (await fetch(`${proxy.httpUrl}/proxy/metrics`)).text();
    expect(metrics).toContain("\netcd_grpc_proxy_watchers_coalescing_total 99\n");
    const watched = await watchedMember();
    await watched.kill();
    await cluster.waitForLeader();
    for (const value of ["2", "3"]) await writer.put("proxy/watched", value, { idempotent: true });
    await vi.waitFor(() => {
      // A write that was repeated is told twice.
      for (const values of heard) expect([...new Set(values)]).toEqual(["1", "2", "3"]);
    }, patient);
    await watched.restart();
    await Promise.all(clients.map((client) => client.close()));
    await vi.waitFor(async () => expect(await sumOf("etcd_debugging_mvcc_watcher_total")).toBe(before), patient);
  });

  /** The member that has the only watcher there is. */
  async function watchedMember() {
    for (const member of cluster.members) {
      const metrics = await (await fetch(`${member.url}/metrics`)).text();
      if (/^etcd_debugging_mvcc_watcher_total [1-9]/m.test(metrics)) return member;
    }
    throw new Error("no member has a watcher");
  }

  test("the client of this house: transactions, leases that live on, locks, snapshots, what is compacted", async () => {
    await using client = clientOf(proxy);
    const session = await client.session({ ttlSec: 5 });
    const lock = createLock(client, "proxy/lock");
    await lock.run(async ({ fence }) => expect(fence).toBeGreaterThan(0));
    await session.close();
    const { revision } = await client.put("proxy/compacted", "1");
    await client.put("proxy/compacted", "2");
    await client.compact(revision + 1);
    await expect(client.range("proxy/compacted", { revision: revision - 1 })).rejects.toMatchObject({
      code: "COMPACTED",
    });
    const watcher = client.watch("proxy/compacted", { from: revision });
    expect(await watcher.ended).toMatchObject({ code: "COMPACTED" });
    let bytes = 0;
    for await (const { blob } of client.maintenance.snapshot()) bytes += blob.length;
    expect(bytes).toBeGreaterThan(10_000);
  });

  test("conclavectl", async () => {
    const run = ctl("conclavectl", [`--endpoints=${proxy.endpoint}`]);
    expect(await run(["put", "house", "ours"])).toEqual({ out: "OK\n", err: "", status: 0 });
    expect(await run(["get", "house", "--consistency=s"])).toEqual({ out: "house\nours\n", err: "", status: 0 });
    expect((await run(["member", "list"])).out).toMatch(/^0, started, \S+, , 127\.0\.0\.1:23790, false\n$/);
    expect((await run(["endpoint", "health"])).status).toBe(0);
  });

  test("proxies that are registered list each other, and are registered anew when their lease is lost", async () => {
    const resolver = ["--resolver-prefix=___proxies", "--resolver-ttl=5", endpointsFlag()];
    await using one = await startGrpcProxyProcess([...resolver, "--advertise-client-url=one.test:1"]);
    await using two = await startGrpcProxyProcess([...resolver, "--advertise-client-url=two.test:2"]);
    await using client = createClient({ endpoints: [...cluster.endpoints] });
    const listed = async (at: ProxyProcess) => {
      await using through = clientOf(at);
      const { members } = await through.raw.cluster.memberList({});
      return members.flatMap(({ clientURLs }) => clientURLs).sort();
    };
    await vi.waitFor(async () => {
      expect([await listed(one), await listed(two)]).toEqual(Array(2).fill(["one.test:1", "two.test:2"]));
    }, patient);
    const key = "___proxies/one.test:1";
    const lease = (await client.get(key))?.lease ?? 0n;
    await client.lease.revoke(lease);
    await vi.waitFor(async () => expect((await client.get(key))?.lease).toBeGreaterThan(0n), patient);
    await two.kill("SIGTERM");
    expect(two.exit).toBe(0);
    expect((await client.range(prefix("___proxies/"))).kvs.map(({ keyString }) => keyString)).toEqual([key]);
  });

  test("namespaces keep their users apart", async () => {
    await using red = await startGrpcProxyProcess([endpointsFlag(), "--namespace=red/"]);
    await using inRed = clientOf(red);
    await using everywhere = clientOf(proxy);
    await inRed.put("color", "red");
    await everywhere.put("color", "none");
    expect(await inRed.getString("color")).toBe("red");
    expect(await everywhere.getString("red/color")).toBe("red");
  });
});

describe("the command line", () => {
  test.each(["gateway", "grpc-proxy"])("%s explains itself, and refuses what it does not know", async (name) => {
    const help = await conclave([name, "start", "--help"]);
    expect(help).toMatchObject({ status: 0, stderr: "" });
    expect(help.stdout).toContain(`conclave ${name} start [flags]`);
    expect(help.stdout).toContain("--listen-addr string");
    expect(await conclave([name])).toMatchObject({ status: 0, stderr: "" });
    const unknown = await conclave([name, "start", "--nonsense"]);
    expect(unknown).toMatchObject({ status: 1, stdout: "" });
    expect(unknown.stderr).toMatch(/^Error: unknown flag: --nonsense\nUsage:\n/);
    expect((await conclave([name, "start", "--endpoints=nowhere"])).status).not.toBe(0);
  });

  test("an address that is taken is said to be", async () => {
    const { endpoint } = cluster.members[0] ?? { endpoint: "" };
    const ending = await conclave(["gateway", "start", `--listen-addr=${endpoint}`]);
    expect(ending.status).toBe(1);
    expect(ending.stderr).toContain("EADDRINUSE");
    await using place = await makePlace();
    const badly = ["--resolver-prefix=p", "--tls-min-version=TLS9"].map((flag) =>
      conclave([
        "grpc-proxy",
        "start",
        `--listen-addr=${place.endpoint}`,
        `--data-dir=${place.dataDir}`,
        "--auto-tls",
        flag,
      ]),
    );
    for (const { status, stderr } of await Promise.all(badly)) {
      expect(status).toBe(1);
      expect(stderr).toMatch(/^Error: (invalid resolver-ttl 0|unexpected TLS version "TLS9")\n$/);
    }
  });
});
