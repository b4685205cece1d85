/** @module Clusters of members inside the test's process: started in a second, seen from inside. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@conclave/client";
import { type MemberConfigInput, type Server, type ServerOptions, startServer } from "@conclave/server";
import { freePorts } from "./free-ports.ts";

/** How to start a cluster inside this process. */
export interface EmbeddedClusterOptions extends ServerOptions {
  /** How many members; default: 3. */
  readonly size?: number;
  /** More configuration of each member; name, data directory, URLs and cluster are chosen here. Default: none. */
  readonly config?: MemberConfigInput;
}

/** A member of a cluster inside this process. */
export interface EmbeddedMember {
  /** Its name: `m1`, `m2` and so on. */
  readonly name: string;
  /** Where it serves clients, as `127.0.0.1:port`. */
  readonly endpoint: string;
  /** Its data directory, a temporary one. */
  readonly dataDir: string;
  /** The running server; undefined while it is stopped. */
  readonly server: Server | undefined;
  /** Stops it. */
  stop(): Promise<void>;
  /** Starts it again on the same address and data; resolves when it serves, for which it needs most of the others. */
  start(): Promise<void>;
}

/** A cluster inside this process. Disposing of it stops its members and removes their data. */
export interface EmbeddedCluster extends AsyncDisposable {
  /** Its members. */
  readonly members: readonly EmbeddedMember[];
  /** Where they serve clients. */
  readonly endpoints: readonly string[];
  /** The member that says it leads; undefined if none does. */
  leader(): Promise<EmbeddedMember | undefined>;
  /**
   * Resolves with the leader, once there is one.
   *
   * @throws Error if there is none in time
   */
  waitForLeader(options?: { readonly timeoutMs?: number }): Promise<EmbeddedMember>;
}

const pollMs = 20;
const leaderTimeoutMs = 30_000;

/**
 * Starts a cluster inside this process, on free loopback ports with temporary data directories.
 *
 * @example
 * ```ts
 * await using cluster = await startEmbeddedCluster();
 * await using client = createClient({ endpoints: cluster.endpoints });
 * await (await cluster.waitForLeader()).stop();
 * await client.put("still", "served");
 * ```
 */
export async function startEmbeddedCluster(options: EmbeddedClusterOptions = {}): Promise<EmbeddedCluster> {
  const { size = 3, config = {}, ...serverOptions } = options;
  const directory = await mkdtemp(join(tmpdir(), "conclave-cluster-"));
  const ports = await freePorts(2 * size);
  const places = Array.from({ length: size }, (_, at) => ({
    name: `m${at + 1}`,
    endpoint: `127.0.0.1:${ports[2 * at]}`,
    peerUrl: `http://127.0.0.1:${ports[2 * at + 1]}`,
    dataDir: join(directory, `m${at + 1}`),
  }));
  const initialCluster = places.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(",");
  const members = places.map(
    ({ name, endpoint, peerUrl, dataDir }) =>
      new Embedded({ name, endpoint, dataDir }, serverOptions, {
        name,
        dataDir,
        listenClientUrls: [`http://${endpoint}`],
        advertiseClientUrls: [`http://${endpoint}`],
        listenPeerUrls: [peerUrl],
        initialAdvertisePeerUrls: [peerUrl],
        initialCluster,
        ...config,
      }),
  );
  const cluster = new Cluster(members, directory);
  try {
    await Promise.all(members.map((member) => member.start()));
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

class Embedded implements EmbeddedMember {
  readonly name: string;
  readonly endpoint: string;
  readonly dataDir: string;
  readonly #config: MemberConfigInput;
  readonly #options: ServerOptions;
  #server: Server | undefined;

  constructor(
    place: Pick<EmbeddedMember, "name" | "endpoint" | "dataDir">,
    options: ServerOptions,
    config: MemberConfigInput,
  ) {
    this.name = place.name;
    this.endpoint = place.endpoint;
    this.dataDir = place.dataDir;
    this.#options = options;
    this.#config = config;
  }

  get server(): Server | undefined {
    return this.#server;
  }

  async start(): Promise<void> {
    this.#server ??= await startServer(this.#config, this.#options);
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.stop();
  }
}

class Cluster implements EmbeddedCluster {
  readonly members: readonly Embedded[];
  readonly #directory: string;
  /** Every call names its member. */
  readonly #admin = createClient({ timeoutMs: 1_000 });

  constructor(members: readonly Embedded[], directory: string) {
    this.members = members;
    this.#directory = directory;
  }

  get endpoints(): readonly string[] {
    return this.members.map(({ endpoint }) => endpoint);
  }

  async leader(): Promise<EmbeddedMember | undefined> {
    const running = this.members.filter(({ server }) => server !== undefined);
    const views = await Promise.all(
      running.map(async (member) => {
        const status = await this.#admin.maintenance.status({ endpoint: member.endpoint }).catch(() => undefined);
        return { member, term: status?.raftTerm ?? 0, leads: status?.leader === status?.header.memberId };
      }),
    );
    const [latest] = views.filter(({ leads, term }) => leads && term > 0).sort((a, b) => b.term - a.term);
    return latest?.member;
  }

  async waitForLeader({ timeoutMs = leaderTimeoutMs } = {}): Promise<EmbeddedMember> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const leader = await this.leader();
      if (leader !== undefined) return leader;
      if (performance.now() > deadline) throw new Error(`No leader within ${timeoutMs} ms`);
      await sleep(pollMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
    await this.#admin.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
