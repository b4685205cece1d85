/**
 * @module Clusters of real processes, Conclave's, etcd's or both, and what a test does to them: kill, pause, cut off,
 * add, remove. Everything a cluster has made is gone when it is disposed of.
 */
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, createClient, type MemberStatus } from "@conclave/client";
import type { Member as WireMember } from "@conclave/protocol/etcdserverpb";
import { namespaceNetwork } from "./cluster-namespaces.ts";
import {
  type ClusterNetwork,
  type ClusterNetworkKind,
  loopbackNetwork,
  type MemberAddresses,
} from "./cluster-network.ts";
import { relayNetwork } from "./cluster-relay.ts";
import { type EtcdVersion, etcdBinaryOrThrow } from "./etcd-process.ts";
import { conclaveBinary } from "./member.ts";
import {
  launchServerProcess,
  type MemberPlacement,
  memberFlags,
  type ServerCommand,
  type ServerProcess,
} from "./server-process.ts";

/** The programs that can be a member. */
export type MemberKind = "conclave" | "etcd";

/** What a member runs. */
export interface MemberProgram {
  /** Which program; default: the cluster's first members', and for those `"conclave"`. */
  readonly kind?: MemberKind;
  /** Which line of etcd; default: `"3.4"`. */
  readonly version?: EtcdVersion;
  /** More command line flags, such as `["--snapshot-count=100"]`; default: those of the cluster. */
  readonly flags?: readonly string[];
}

/** How to start a cluster. */
export interface ClusterOptions extends MemberProgram {
  /** How many members; default: 3. */
  readonly size?: number;
  /** What each of the first members runs, where they differ; it says how many there are. Default: all the same. */
  readonly founders?: readonly MemberProgram[];
  /** The network; default: `"loopback"`, which cannot be cut. */
  readonly network?: ClusterNetworkKind;
  /** The program that the first members run, such as an earlier build; default: the one that `kind` stands for. */
  readonly binary?: string;
}

/** How to add a member. */
export interface AddMemberOptions extends MemberProgram {
  /** Whether it is to have no vote until it is promoted; default: false. */
  readonly learner?: boolean;
}

/** How to start a member again. */
export interface MemberRestartOptions {
  /** Flags beside its own, for this run only, such as `["--force-new-cluster"]`; default: none. */
  readonly flags?: readonly string[];
  /** What it runs from now on; default: what it ran. */
  readonly binary?: string;
  /** What to wait for; default: `"ready"`. With most of the cluster down, no member gets ready. */
  readonly until?: "ready" | "launched";
}

/** A program with its arguments. */
export type HereCommand = Pick<ServerCommand, "binary" | "args">;

/** A member of a cluster. */
export interface ClusterMember extends Omit<ServerProcess, "restart"> {
  /** Its name: `m1`, `m2` and so on. */
  readonly name: string;
  /** What it runs. */
  readonly kind: MemberKind;
  /** Where it serves clients, as `host:port`. */
  readonly endpoint: string;
  /** The same as a URL. */
  readonly url: string;
  /** Where other members reach it. */
  readonly peerUrl: string;
  /** Its data directory, a temporary one. */
  readonly dataDir: string;
  /** Starts it again, killing it first if it runs. */
  restart(options?: MemberRestartOptions): Promise<void>;
  /** Asks it to stop, with SIGTERM unless told otherwise, and resolves when it has. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Kills it and removes its data. */
  wipe(): Promise<void>;
  /** What it says of itself. */
  status(): Promise<MemberStatus>;
  /** A command that runs where the member does: in its network namespace, if it has one. */
  commandHere(command: HereCommand): HereCommand;
}

/** How to wait for a leader. */
export interface WaitForLeaderOptions {
  /** The members that must agree on it, such as one side of a partition; default: more than half of all that vote. */
  readonly among?: readonly ClusterMember[];
  /** A member that it must not be, such as one that is cut off and does not know it yet; default: none. */
  readonly not?: ClusterMember;
  /** How long, in milliseconds; default: 30 000. */
  readonly timeoutMs?: number;
}

/** A cluster of processes. Disposing of it kills them and removes their data and network. */
export interface ClusterProcesses extends AsyncDisposable {
  /** Its members, those that are down included. */
  readonly members: readonly ClusterMember[];
  /** Where they serve clients. */
  readonly endpoints: readonly string[];
  /** The member that says it leads, in the highest term if several say so; undefined if none does. */
  leader(): Promise<ClusterMember | undefined>;
  /**
   * Resolves with the leader once most members name it.
   *
   * @throws Error if there is none in time
   */
  waitForLeader(options?: WaitForLeaderOptions): Promise<ClusterMember>;
  /** Cuts the network between groups, both ways. Members that are in no group are left alone. */
  partition(...groups: readonly (readonly ClusterMember[])[]): Promise<void>;
  /** Cuts a member off from all others, both ways. */
  isolate(member: ClusterMember): Promise<void>;
  /** Loses what one member sends to another; the other way stays open. */
  oneWay(from: ClusterMember, to: ClusterMember): Promise<void>;
  /** Takes back every cut. */
  heal(): Promise<void>;
  /** Adds a member and starts it; resolves when it serves. */
  addMember(options?: AddMemberOptions): Promise<ClusterMember>;
  /** Takes a member out of the cluster, kills it if it does not stop by itself, and forgets it. */
  removeMember(member: ClusterMember): Promise<void>;
  /** Kills a member and forgets it without a word to the cluster: it is lost for ever. */
  forgetMember(member: ClusterMember): Promise<void>;
  /** Takes a member out of the cluster, removes its data and lets it in again under the same name and addresses. */
  replaceMember(member: ClusterMember): Promise<void>;
}

const pollMs = 50;
const statusTimeoutMs = 5_000;
/** A member that says nothing for so long says nothing of who leads. */
const viewTimeoutMs = 1_000;
const leaderTimeoutMs = 30_000;
/** A change of members is refused while the leader does not see most of them; so long is it tried again. */
const changeTimeoutMs = 20_000;
const stopTimeoutMs = 5_000;

/**
 * Starts a cluster of processes with temporary data directories, all founded with `--initial-cluster`.
 *
 * @example
 * ```ts
 * await using cluster = await startCluster({ size: 3, network: "relay" });
 * const leader = await cluster.waitForLeader();
 * await cluster.isolate(leader);
 * const next = await cluster.waitForLeader({ not: leader });
 * await cluster.heal();
 * ```
 * @returns the cluster, once every member serves
 * @throws Error if a program is missing, ends early or does not serve within 30 s; its log is in the message
 */
export async function startCluster(options: ClusterOptions = {}): Promise<ClusterProcesses> {
  const cluster = new Cluster(await openNetwork(options.network ?? "loopback"), options);
  try {
    await cluster.start(options);
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

async function openNetwork(kind: ClusterNetworkKind): Promise<ClusterNetwork> {
  switch (kind) {
    case "loopback":
      return loopbackNetwork();
    case "relay":
      return relayNetwork();
    case "namespaces":
      return await namespaceNetwork();
  }
}

class Cluster implements ClusterProcesses {
  readonly #network: ClusterNetwork;
  readonly #program: Required<MemberProgram>;
  readonly #admin: Client;
  #members: ProcessMember[] = [];
  #joined = 0;
  /** A test process that is ended takes its members along. */
  readonly #onExit = (): void => {
    for (const member of this.#members) member.abandon();
    this.#network.abandon();
  };

  constructor(network: ClusterNetwork, { kind = "conclave", version = "3.4", flags = [] }: MemberProgram) {
    this.#network = network;
    this.#program = { kind, version, flags };
    // Every call names its member.
    this.#admin = createClient({ timeoutMs: statusTimeoutMs });
    process.once("exit", this.#onExit);
  }

  async start({ size = 3, founders = Array<MemberProgram>(size).fill({}), binary }: ClusterOptions): Promise<void> {
    for (const founder of founders) this.#members.push(await this.#prepare({ ...this.#program, ...founder }, binary));
    const initialCluster = this.#members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(",");
    for (const member of this.#members) member.launch({ initialCluster, initialClusterState: "new" });
    await Promise.all(this.#members.map((member) => member.ready()));
  }

  get members(): readonly ClusterMember[] {
    return this.#members;
  }

  get endpoints(): readonly string[] {
    return this.#members.map(({ endpoint }) => endpoint);
  }

  async leader(): Promise<ClusterMember | undefined> {
    const claims = (await this.#views(this.#members)).filter(({ status }) => leads(status));
    const [latest] = claims.sort((a, b) => b.status.raftTerm - a.status.raftTerm);
    return latest?.member;
  }

  async waitForLeader(options: WaitForLeaderOptions = {}): Promise<ClusterMember> {
    const { among = this.#members, not, timeoutMs = leaderTimeoutMs } = options;
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const views = await this.#views(among);
      const learners = views.filter(({ status }) => status.isLearner).length;
      const majority = Math.floor((this.#members.length - learners) / 2) + 1;
      const needed = options.among === undefined ? majority : among.length - learners;
      const found = views.find(({ status }) => leads(status) && supportersOf(status, views) >= needed);
      if (found !== undefined && found.member !== not) return found.member;
      if (performance.now() > deadline) throw new Error(`No leader within ${timeoutMs} ms: ${describe(views)}`);
      await sleep(pollMs);
    }
  }

  async partition(...groups: readonly (readonly ClusterMember[])[]): Promise<void> {
    for (const [at, group] of groups.entries()) {
      for (const other of groups.slice(at + 1).flat()) {
        for (const member of group) await this.#cutBothWays(member, other);
      }
    }
  }

  async isolate(member: ClusterMember): Promise<void> {
    for (const other of this.#members) if (other !== member) await this.#cutBothWays(member, other);
  }

  oneWay(from: ClusterMember, to: ClusterMember): Promise<void> {
    return this.#network.cut(from.name, to.name);
  }

  heal(): Promise<void> {
    return this.#network.heal();
  }

  async addMember(options: AddMemberOptions = {}): Promise<ClusterMember> {
    const member = await this.#prepare({ ...this.#program, ...options });
    await this.#letIn(member, options.learner ?? false);
    this.#members.push(member);
    await member.ready();
    return member;
  }

  async removeMember(member: ClusterMember): Promise<void> {
    const own = this.#own(member);
    await this.#takeOut(own);
    await Promise.race([own.ended(), sleep(stopTimeoutMs)]);
    await this.forgetMember(own);
  }

  async forgetMember(member: ClusterMember): Promise<void> {
    const own = this.#own(member);
    this.#members = this.#members.filter((each) => each !== own);
    await own[Symbol.asyncDispose]();
  }

  async replaceMember(member: ClusterMember): Promise<void> {
    const own = this.#own(member);
    const taken = await this.#takeOut(own);
    await own.wipe();
    await this.#letIn(own, taken?.isLearner ?? false);
    await own.ready();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off("exit", this.#onExit);
    await this.#admin.close();
    await Promise.all(this.#members.map((member) => member[Symbol.asyncDispose]()));
    await this.#network[Symbol.asyncDispose]();
  }

  async #prepare(program: Required<MemberProgram>, binary = binaryOf(program)): Promise<ProcessMember> {
    this.#joined += 1;
    const name = `m${this.#joined}`;
    const addresses = await this.#network.join(name);
    const dataDir = await mkdtemp(join(tmpdir(), `${program.kind}-${name}-`));
    return new ProcessMember({ name, program, binary, addresses, dataDir, network: this.#network, admin: this.#admin });
  }

  /** Has the cluster expect a member, and launches it. */
  async #letIn(member: ProcessMember, learner: boolean): Promise<void> {
    const { peerUrl } = member;
    const members = await this.#change("add", async (endpoint) => {
      const listed = await this.#memberList(endpoint);
      if (listed.some(({ peerURLs }) => peerURLs.includes(peerUrl))) return listed; // An earlier try came through.
      const request = { peerURLs: [peerUrl], isLearner: learner };
      return (await this.#admin.raw.cluster.memberAdd(request, { endpoint, timeoutMs: changeTimeoutMs })).members;
    });
    const initialCluster = members.flatMap(({ name, peerURLs }) =>
      peerURLs.map((url) => `${url === peerUrl ? member.name : name}=${url}`),
    );
    member.launch({ initialCluster: initialCluster.join(","), initialClusterState: "existing" });
  }

  /** Has the cluster forget a member. @returns what it was in the cluster */
  #takeOut({ peerUrl }: ProcessMember): Promise<WireMember | undefined> {
    let found: WireMember | undefined;
    return this.#change("remove", async (endpoint) => {
      const listed = (await this.#memberList(endpoint)).find(({ peerURLs }) => peerURLs.includes(peerUrl));
      found ??= listed;
      if (listed === undefined) return found;
      await this.#admin.raw.cluster.memberRemove({ ID: listed.ID }, { endpoint, timeoutMs: changeTimeoutMs });
      return found;
    });
  }

  async #memberList(endpoint: string): Promise<readonly WireMember[]> {
    return (await this.#admin.raw.cluster.memberList({ linearizable: true }, { endpoint })).members;
  }

  /** Asks the leader for a change until it is made: after the last one it takes a moment until the next is allowed. */
  async #change<Answer>(what: string, ask: (endpoint: string) => Promise<Answer>): Promise<Answer> {
    const deadline = performance.now() + changeTimeoutMs;
    for (;;) {
      const leader = await this.waitForLeader();
      try {
        return await ask(leader.endpoint);
      } catch (error) {
        if (performance.now() > deadline) throw new Error(`Cannot ${what} a member: ${error}`, { cause: error });
        await sleep(pollMs);
      }
    }
  }

  async #views(members: readonly ClusterMember[]): Promise<readonly View[]> {
    const views = await Promise.all(
      members
        .filter(({ exit }) => exit === undefined)
        .map(async (member) => ({ member, status: await this.#viewOf(member) })),
    );
    return views.flatMap(({ member, status }) => (status === undefined ? [] : [{ member, status }]));
  }

  #viewOf({ endpoint }: ClusterMember): Promise<MemberStatus | undefined> {
    return this.#admin.maintenance.status({ endpoint, timeoutMs: viewTimeoutMs }).catch(() => undefined);
  }

  #own(member: ClusterMember): ProcessMember {
    const own = this.#members.find((each) => each === member);
    if (own === undefined) throw new TypeError(`${member.name} is no member of this cluster`);
    return own;
  }

  async #cutBothWays(a: ClusterMember, b: ClusterMember): Promise<void> {
    await Promise.all([this.#network.cut(a.name, b.name), this.#network.cut(b.name, a.name)]);
  }
}

/** What a member says of itself, if it answers. */
interface View {
  readonly member: ClusterMember;
  readonly status: MemberStatus;
}

function leads({ header, leader }: MemberStatus): boolean {
  return leader !== 0n && leader === header.memberId;
}

/** How many say of the same term that the same member leads. */
function supportersOf({ leader, raftTerm }: MemberStatus, views: readonly View[]): number {
  return views.filter(({ status }) => !status.isLearner && status.leader === leader && status.raftTerm === raftTerm)
    .length;
}

function describe(views: readonly View[]): string {
  const each = ({ member, status: { leader, raftTerm } }: View) =>
    `${member.name} names ${leader.toString(16)} in term ${raftTerm}`;
  return views.length === 0 ? "no member answers" : views.map(each).join(", ");
}

/** What a member is made of. */
interface MemberParts {
  readonly name: string;
  readonly program: Required<MemberProgram>;
  readonly binary: string;
  readonly addresses: MemberAddresses;
  readonly dataDir: string;
  readonly network: ClusterNetwork;
  readonly admin: Client;
}

/** How a member comes into its cluster. */
type Entry = Required<Pick<MemberPlacement, "initialCluster" | "initialClusterState">>;

class ProcessMember implements ClusterMember, AsyncDisposable {
  readonly #parts: MemberParts;
  #binary: string;
  #args: readonly string[] = [];
  #process: ServerProcess | undefined;

  constructor(parts: MemberParts) {
    this.#parts = parts;
    this.#binary = parts.binary;
  }

  get name(): string {
    return this.#parts.name;
  }

  get kind(): MemberKind {
    return this.#parts.program.kind;
  }

  get endpoint(): string {
    return this.#parts.addresses.endpoint;
  }

  get url(): string {
    return `http://${this.endpoint}`;
  }

  get peerUrl(): string {
    return this.#parts.addresses.peerUrl;
  }

  get dataDir(): string {
    return this.#parts.dataDir;
  }

  get pid(): number {
    return this.#running.pid;
  }

  get log(): string {
    return this.#running.log;
  }

  get exit(): number | NodeJS.Signals | undefined {
    return this.#running.exit;
  }

  launch(entry: Entry): void {
    const { name, program, addresses, dataDir } = this.#parts;
    const clientUrl = addresses.listenClientUrls ?? this.url;
    this.#args = [...memberFlags({ name, dataDir, clientUrl, ...addresses, ...entry }), ...program.flags];
    this.#process = launchServerProcess(this.#command([]));
    this.#tellNetwork();
  }

  ready(): Promise<void> {
    return this.#running.ready();
  }

  ended(): Promise<void> {
    return this.#running.ended();
  }

  kill(signal?: NodeJS.Signals): Promise<void> {
    return this.#running.kill(signal);
  }

  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    return this.#running.kill(signal);
  }

  pause(): void {
    this.#running.pause();
  }

  resume(): void {
    this.#running.resume();
  }

  async restart({ flags = [], until = "ready", binary = this.#binary }: MemberRestartOptions = {}): Promise<void> {
    this.#binary = binary;
    await this.#running.restart({ ...this.#command(flags), until: "launched" });
    this.#tellNetwork();
    if (until === "ready") await this.ready();
  }

  async wipe(): Promise<void> {
    await this.kill();
    await rm(this.dataDir, { recursive: true, force: true });
  }

  status(): Promise<MemberStatus> {
    return this.#parts.admin.maintenance.status({ endpoint: this.endpoint });
  }

  commandHere({ binary, args }: HereCommand): HereCommand {
    return this.#parts.network.commandAt(this.name, { name: this.name, url: this.url, binary, args });
  }

  /** Ends it at once, as this process ends. */
  abandon(): void {
    if (this.#process !== undefined && this.#process.exit === undefined) process.kill(this.#process.pid, "SIGKILL");
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.kill();
    await rm(this.dataDir, { recursive: true, force: true });
  }

  get #running(): ServerProcess {
    if (this.#process === undefined) throw new TypeError(`${this.name} was never started`);
    return this.#process;
  }

  #command(moreFlags: readonly string[]): ServerCommand {
    const { name, network } = this.#parts;
    const args = [...this.#args, ...moreFlags];
    return network.commandAt(name, { name, binary: this.#binary, args, url: this.url });
  }

  #tellNetwork(): void {
    this.#parts.network.runsAs(this.name, this.pid);
  }
}

function binaryOf({ kind, version }: Required<MemberProgram>): string {
  return kind === "conclave" ? conclaveBinary : etcdBinaryOrThrow(version);
}
