/**
 * @module Members that find each other: by a registry that a Conclave or an etcd keeps, and by DNS. What they found is
 * a cluster like any other.
 */

import { Resolver } from "node:dns/promises";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@conclave/client";
import { type DomainNames, type MemberConfigInput, type Server, startServer } from "@conclave/server";
import { etcdAbsence, freePorts, startDnsServer, startEtcd, startMember } from "@conclave/testkit";
import { describe, expect, test } from "vitest";

/** What a member of the cluster to be founded is told of itself. */
interface Newcomer {
  readonly config: MemberConfigInput;
  readonly peerPort: number;
}

async function newcomers(count: number, base: string): Promise<readonly Newcomer[]> {
  const ports = await freePorts(2 * count);
  return Array.from({ length: count }, (_, index) => {
    const [clientPort = 0, peerPort = 0] = ports.slice(2 * index);
    const clientUrl = `http://127.0.0.1:${clientPort}`;
    const peerUrl = `http://127.0.0.1:${peerPort}`;
    const urls = {
      listenClientUrls: clientUrl,
      advertiseClientUrls: clientUrl,
      listenPeerUrls: peerUrl,
      initialAdvertisePeerUrls: peerUrl,
    };
    return { peerPort, config: { name: `m${index}`, dataDir: join(base, `m${index}`), ...urls } };
  });
}

/** Starts members that all found one cluster, and holds that they did. */
async function expectOneCluster(configs: readonly MemberConfigInput[], domainNames?: DomainNames): Promise<void> {
  const servers: Server[] = [];
  try {
    servers.push(...(await Promise.all(configs.map((config) => startServer(config, { domainNames })))));
    expect(new Set(servers.map(({ clusterId }) => clusterId)).size).toBe(1);
    await using client = createClient({ endpoints: servers.flatMap(({ clientUrls }) => clientUrls) });
    await client.put("k", "v");
    const { members } = await client.cluster.memberList();
    expect(members.map(({ name }) => name).sort()).toEqual(configs.map(({ name }) => name));
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

async function inDirectory(use: (base: string) => Promise<void>): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), "discovery-"));
  try {
    await use(base);
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

const services = [
  { kind: "a Conclave", absent: undefined, start: () => startMember() },
  { kind: "an etcd 3.4", absent: etcdAbsence("3.4"), start: () => startEtcd({ version: "3.4" }) },
  { kind: "an etcd 3.5", absent: etcdAbsence("3.5"), start: () => startEtcd({ version: "3.5" }) },
];

for (const { kind, absent, start } of services) {
  describe.skipIf(absent)(`discovery by ${kind} ${absent ?? ""}`, () => {
    test("founds one cluster of all members that have the token; one more is refused", () =>
      inDirectory(async (base) => {
        await using service = await start();
        await using client = createClient({ endpoints: [service.endpoint] });
        await client.put("/_etcd/registry/token/_config/size", "3");
        const discovery = { discoveryToken: "token", discoveryEndpoints: service.endpoint };
        const [extra, ...members] = (await newcomers(4, base)).map(({ config }) => ({ ...config, ...discovery }));
        await expectOneCluster(members);
        await expect(startServer(extra)).rejects.toMatchObject({ code: "JOIN" });
        await expectOneCluster(members.map((member) => ({ ...member, discoveryEndpoints: "127.0.0.1:1" })));
      }));
  });
}

test("discovery waits for its service, and gives up when it is told to", () =>
  inDirectory(async (base) => {
    const [member] = await newcomers(1, base);
    const controller = new AbortController();
    const log = {
      debug: () => {},
      info: () => {},
      warn: () => controller.abort(),
      error: () => {},
    };
    const discovery = { discoveryToken: "token", discoveryEndpoints: "127.0.0.1:1", discoveryDialTimeout: 50 };
    const options = { signal: controller.signal, log: () => log };
    await expect(startServer({ ...member?.config, ...discovery }, options)).rejects.toMatchObject({
      name: "AbortError",
    });
  }));

test("SRV records found one cluster of the members they name", () =>
  inDirectory(async (base) => {
    const members = await newcomers(3, base);
    // A record names a host; an address is one that needs no look-up.
    const records = members.map(({ peerPort }) => ({ name: "127.0.0.1", port: peerPort }));
    await using dns = await startDnsServer({ srv: { "_etcd-server-blue._tcp.example.test": records }, addresses: {} });
    const resolver = new Resolver();
    resolver.setServers([dns.address]);
    const names: DomainNames = {
      resolveSrv: (name) => resolver.resolveSrv(name),
      resolveHost: async (host) => host,
    };
    const discovery = { discoverySrv: "example.test", discoverySrvName: "blue" };
    await expectOneCluster(
      members.map(({ config }) => ({ ...config, ...discovery })),
      names,
    );
  }));
