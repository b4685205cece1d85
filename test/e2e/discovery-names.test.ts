/** @module Members that find each other by name, as real processes: by SRV records with TLS, and by static host names. */
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@conclave/client";
import { createTestAuthority, freePorts, memberFlags, type TestAuthority } from "@conclave/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Conclave } from "./conclave.ts";
import { type NamedHosts, nameHosts } from "./named-hosts.ts";

const domain = "example.test";
const names = ["m1", "m2", "m3"];

/** A member to be. */
interface Newcomer {
  readonly name: string;
  readonly host: string;
  readonly endpoint: string;
  readonly peerPort: number;
}

let directory: string;
let authority: TestAuthority;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "conclave-names-"));
  authority = await createTestAuthority(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function newcomers(): Promise<readonly Newcomer[]> {
  const ports = await freePorts(2 * names.length);
  return names.map((name, at) => {
    const [clientPort = 0, peerPort = 0] = ports.slice(2 * at);
    return { name, host: `${name}.${domain}`, endpoint: `127.0.0.1:${clientPort}`, peerPort };
  });
}

function nameAll(members: readonly Newcomer[]): Promise<NamedHosts> {
  const srv = members.map(({ host, peerPort }) => ({ name: host, port: peerPort }));
  const addresses = Object.fromEntries(members.map(({ host }) => [host, "127.0.0.1"]));
  return nameHosts({ srv: { [`_etcd-server-ssl._tcp.${domain}`]: srv }, addresses });
}

/** The flags of a member that is reached by its host name. */
function flagsOf(
  { name, host, endpoint, peerPort }: Newcomer,
  place: { readonly test: string; readonly scheme: string },
) {
  const flags = memberFlags({
    name,
    dataDir: join(directory, place.test, name),
    clientUrl: `http://${endpoint}`,
    peerUrl: `${place.scheme}://${host}:${peerPort}`,
    listenPeerUrl: `${place.scheme}://127.0.0.1:${peerPort}`,
  });
  return flags.filter((flag) => !flag.startsWith("--initial-cluster="));
}

async function expectOneCluster(members: readonly Newcomer[]): Promise<void> {
  for (const { endpoint } of members) {
    await using client = createClient({ endpoints: endpoint });
    await client.put("at", endpoint);
    expect((await client.cluster.memberList()).members.map(({ name }) => name).sort()).toEqual(names);
  }
}

/** Resolves with the first line that a member prints in which all of this stands. */
async function lineOf(member: Conclave, ...parts: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const find = () => member.lines.find((line) => parts.every((part) => line.includes(part)));
  await expect.poll(find, { timeout: 30_000 }).toBeDefined();
  return JSON.parse(find() ?? "{}");
}

test("whom SRV records name must show a certificate of the domain, and is let in once it does", async () => {
  const members = await newcomers();
  await using hosts = await nameAll(members);
  const good = await authority.issue("of-the-domain", { hosts: [domain] });
  const bad = await authority.issue("of-another", { hosts: ["elsewhere.test", "127.0.0.1"] });
  const env = { ...hosts.env, NODE_EXTRA_CA_CERTS: authority.certFile };
  const certificateOf = (name: string) => [join(directory, `${name}.cert`), join(directory, `${name}.key`)] as const;
  const give = async (name: string, { certFile, keyFile }: typeof good): Promise<void> => {
    const [cert, key] = certificateOf(name);
    await copyFile(keyFile, key);
    await copyFile(certFile, cert);
  };
  const start = (member: Newcomer): Conclave => {
    const [cert, key] = certificateOf(member.name);
    const flags = flagsOf(member, { test: "srv", scheme: "https" });
    return new Conclave([...flags, `--discovery-srv=${domain}`, `--peer-cert-file=${cert}`, `--peer-key-file=${key}`], {
      env,
    });
  };
  await Promise.all(names.map((name) => give(name, name === "m3" ? bad : good)));
  const [m1, m2, m3] = members as [Newcomer, Newcomer, Newcomer];
  await using first = start(m1);
  await using second = start(m2);
  await Promise.all([first.ready(), second.ready()]);
  await using third = start(m3);
  // Nobody asks it for its own certificate here, so it hears the others; they do not hear it.
  const wrongName = `it is valid for DNS:elsewhere.test, IP Address:127.0.0.1, not ${domain}`;
  const refusals = await Promise.all([first, second].map((member) => lineOf(member, "cannot hear a peer", wrongName)));
  await give("m3", good);
  const idOfThird = String(refusals[0]?.peer);
  await Promise.all([first, second, third].map((member) => member.ready()));
  await Promise.all([first, second].map((member) => lineOf(member, '"hears a peer"', idOfThird)));
  await expectOneCluster(members);
});

test("members named by their hosts in --initial-cluster found one cluster, also one that advertises its address", async () => {
  const members = await newcomers();
  await using hosts = await nameAll(members);
  const initialCluster = members.map(({ name, host, peerPort }) => `${name}=http://${host}:${peerPort}`).join();
  const [m1, m2, m3] = members.map((member) => {
    const byAddress = [`--initial-advertise-peer-urls=http://127.0.0.1:${member.peerPort}`];
    const flags = [...flagsOf(member, { test: "static", scheme: "http" }), `--initial-cluster=${initialCluster}`];
    return new Conclave([...flags, ...(member.name === "m3" ? byAddress : [])], { env: hosts.env });
  }) as [Conclave, Conclave, Conclave];
  await using first = m1;
  await using second = m2;
  await using third = m3;
  await Promise.all([first, second, third].map((member) => member.ready()));
  await expectOneCluster(members);
});

test("members reach each other over unix sockets with TLS", async () => {
  const [first = 0, second = 0] = await freePorts(2);
  const { certFile, keyFile } = await authority.issue("socket", { hosts: ["localhost"] });
  const peerUrlOf = (name: string) => `unixs://${join(directory, `${name}.sock`)}`;
  const initialCluster = ["a", "b"].map((name) => `${name}=${peerUrlOf(name)}`).join();
  const start = (name: string, port: number): Conclave =>
    new Conclave([
      ...memberFlags({
        name,
        dataDir: join(directory, "unixs", name),
        clientUrl: `http://127.0.0.1:${port}`,
        peerUrl: peerUrlOf(name),
        initialCluster,
      }),
      ...[`--peer-cert-file=${certFile}`, `--peer-key-file=${keyFile}`, `--peer-trusted-ca-file=${authority.certFile}`],
    ]);
  await using a = start("a", first);
  await using b = start("b", second);
  await Promise.all([a.ready(), b.ready()]);
  await using client = createClient({ endpoints: `127.0.0.1:${second}` });
  await client.put("k", "v");
});
