/**
 * @module A network of Linux network namespaces, one for each member, on a bridge of their own. Members know each other
 * by host name through a hosts file, as machines do; the test's process reaches them by address through the bridge.
 *
 * A cut direction is a wrong entry in the sender's table of neighbours: what it sends goes to a hardware address that
 * nobody has, so it is lost without a word.
 */
import { execFile, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { mkdir, rm, rmdir, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { ClusterNetwork, MemberAddresses } from "./cluster-network.ts";
import type { ServerCommand } from "./server-process.ts";

const run = promisify(execFile);
const ip = (...args: readonly string[]) => run("ip", [...args]);

/** Where `ip netns exec` finds the files that a namespace has instead of those in `/etc`. */
const configDirectory = "/etc/netns";
/** An address that no interface has. */
const nobody = "02:00:00:00:00:01";

/** Why clusters cannot be put in network namespaces here, or undefined if they can. */
export function namespacesAbsence(): string | undefined {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  if (process.getuid?.() !== 0) return "network namespaces need root";
  return existsSync("/usr/sbin/ip") || existsSync("/sbin/ip")
    ? undefined
    : "ip is not installed: apt-get install iproute2";
}

/**
 * Makes a bridge for a cluster.
 *
 * @throws Error if this process may not
 */
export async function namespaceNetwork(): Promise<ClusterNetwork> {
  const absent = namespacesAbsence();
  if (absent !== undefined) throw new Error(absent);
  const id = randomInt(2 ** 24).toString(16);
  // 198.18.0.0/15 is set aside for tests between two networks.
  const subnet = `198.${18 + randomInt(2)}.${randomInt(256)}`;
  const network = new NamespaceNetwork(`cnc${id}`, subnet);
  try {
    await network.open();
    return network;
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
}

interface Host {
  readonly namespace: string;
  readonly address: string;
}

class NamespaceNetwork implements ClusterNetwork {
  readonly #bridge: string;
  readonly #subnet: string;
  readonly #hosts = new Map<string, Host>();
  #cuts: { readonly namespace: string; readonly address: string }[] = [];

  constructor(bridge: string, subnet: string) {
    this.#bridge = bridge;
    this.#subnet = subnet;
  }

  async open(): Promise<void> {
    await ip("link", "add", this.#bridge, "type", "bridge");
    await ip("address", "add", `${this.#subnet}.1/24`, "dev", this.#bridge);
    await ip("link", "set", this.#bridge, "up");
  }

  async join(name: string): Promise<MemberAddresses> {
    const number = this.#hosts.size + 1;
    const host: Host = { namespace: `${this.#bridge}-${name}`, address: `${this.#subnet}.${9 + number}` };
    this.#hosts.set(name, host);
    await this.#addNamespace(host, `${this.#bridge}v${number}`);
    await this.#writeHosts();
    return {
      endpoint: `${host.address}:2379`,
      listenClientUrls: `http://${host.address}:2379,http://127.0.0.1:2379`,
      advertisedClientUrl: `http://${name}:2379`,
      peerUrl: `http://${name}:2380`,
      listenPeerUrl: `http://${host.address}:2380`,
    };
  }

  commandAt(name: string, command: ServerCommand): ServerCommand {
    const args = ["netns", "exec", this.#host(name).namespace, command.binary, ...command.args];
    return { ...command, binary: "ip", args };
  }

  runsAs(): void {}

  async cut(from: string, to: string): Promise<void> {
    const { namespace } = this.#host(from);
    const { address } = this.#host(to);
    this.#cuts.push({ namespace, address });
    await ip("-n", namespace, "neighbour", "replace", address, "lladdr", nobody, "nud", "permanent", "dev", "eth0");
  }

  async heal(): Promise<void> {
    const cuts = this.#cuts;
    this.#cuts = [];
    for (const { namespace, address } of cuts) await ip("-n", namespace, "neighbour", "delete", address, "dev", "eth0");
  }

  abandon(): void {
    for (const { namespace } of this.#hosts.values()) {
      spawnSync("ip", ["netns", "delete", namespace]);
      rmSync(`${configDirectory}/${namespace}`, { recursive: true, force: true });
    }
    spawnSync("ip", ["link", "delete", this.#bridge]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { namespace } of this.#hosts.values()) {
      await ip("netns", "delete", namespace).catch(() => {}); // Not there if making it has failed.
      await rm(`${configDirectory}/${namespace}`, { recursive: true, force: true });
    }
    await ip("link", "delete", this.#bridge).catch(() => {});
    await rmdir(configDirectory).catch(() => {}); // Not empty: somebody else's.
  }

  #host(name: string): Host {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new TypeError(`No member of this network is called "${name}"`);
    return host;
  }

  async #addNamespace({ namespace, address }: Host, link: string): Promise<void> {
    await ip("netns", "add", namespace);
    await ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace);
    await ip("link", "set", link, "master", this.#bridge, "up");
    await ip("-n", namespace, "address", "add", `${address}/24`, "dev", "eth0");
    await ip("-n", namespace, "link", "set", "lo", "up");
    await ip("-n", namespace, "link", "set", "eth0", "up");
  }

  /** Writes in place: the file is mounted where members run, and they see what becomes of it. */
  async #writeHosts(): Promise<void> {
    const lines = [...this.#hosts].map(([name, { address }]) => `${address} ${name}`);
    const text = ["127.0.0.1 localhost", ...lines, ""].join("\n");
    for (const { namespace } of this.#hosts.values()) {
      await mkdir(`${configDirectory}/${namespace}`, { recursive: true });
      await writeFile(`${configDirectory}/${namespace}/hosts`, text);
    }
  }
}
