/**
 * @module A cluster of whole members in one process on virtual time: raft, log, state machine, leases and watches as in
 * production, on disks that lose what was not synced and a network that loses, delays and reorders. One seed decides
 * everything: the same seed gives the same run, byte for byte.
 */
import type { Random } from "@conclave/base";
import { type Client, type ClientOptions, type ClientTransport, createClient, isConclaveError } from "@conclave/client";
import type { LogFields, Member, MemberSettings } from "@conclave/server";
import { seededRandom } from "../seeded-random.ts";
import type { DiskCall } from "../simulated-disk.ts";
import type { Tear } from "../simulated-file.ts";
import { simulatedSettings } from "../simulated-settings.ts";
import { type VirtualTime, virtualTime } from "../virtual-time.ts";
import { FrontEnds } from "./front-ends.ts";
import { type MachineClock, MachineTime } from "./machine-time.ts";
import { SimulatedMachine } from "./simulated-machine.ts";
import { SimulatedNetwork, type SimulatedNetworkOptions } from "./simulated-network.ts";
import { simulatedTransport } from "./simulated-transport.ts";
import { Trace } from "./trace.ts";
import { goodLink, type LinkSettings, type Route, Wires } from "./wires.ts";

/** What a simulated cluster is made of. */
export interface SimulatedClusterOptions {
  /** Decides everything random. */
  readonly seed: number;
  /** How many members found the cluster; default: 3. */
  readonly members?: number;
  /** Settings of the members that differ from etcd's defaults; default: none. */
  readonly settings?: Partial<MemberSettings>;
  /** How links differ from good ones; default: not at all. */
  readonly link?: Partial<LinkSettings>;
  /** How long a call of a sound disk takes, in ms; default: a sync 0.5, a write or read 0.05. */
  readonly latencyMs?: (call: DiskCall) => number;
  /** The clock of each machine, by its name; default: drawn from the seed, up to 0.1 % fast or slow. */
  readonly clock?: (machine: string) => MachineClock;
  /** Options of the network between members beyond its wires; default: none. */
  readonly network?: Pick<SimulatedNetworkOptions, "recode" | "interruption" | "onSend">;
  /** Is told of every member that ends, in order or not, as it was last; default: nobody is. */
  readonly onEnd?: (member: Member) => void;
}

/** A client in the simulation, and the machine it runs on. */
export interface SimulatedClient {
  /** The name of its machine, for partitions. */
  readonly name: string;
  /** The time of its machine: it may be paused, its clock drifts, and once it is killed nothing of the client goes on. */
  readonly time: MachineTime;
  /** The client. */
  readonly client: Client;
  /** What it speaks through, for those who want to see every frame. */
  readonly transport: ClientTransport;
}

/** A member that stopped by itself. */
export interface MemberFailure {
  /** Its machine. */
  readonly machine: string;
  /** Why. */
  readonly error: unknown;
}

/** A member that has just been connected may not be counted on for 5 s. */
const healthTimeoutMs = 30_000;

const soundDiskMs: Record<DiskCall, number> = { read: 0.05, write: 0.05, sync: 0.5 };

/** A cluster to which everything can be done. Nothing happens by itself: time passes only inside `run`. */
export class SimulatedCluster {
  /** The time that everything lives on. */
  readonly time: VirtualTime;
  /** The network between all machines. */
  readonly wires: Wires;
  /** What happened, to be compared with another run of the seed. */
  readonly trace: Trace = new Trace();
  /** Members that stopped by themselves. */
  readonly failures: MemberFailure[] = [];
  readonly #options: SimulatedClusterOptions;
  readonly #random: Random;
  readonly #network: SimulatedNetwork;
  readonly #frontEnds: FrontEnds;
  readonly #machines = new Map<string, SimulatedMachine>();
  readonly #clients = new Map<string, SimulatedClient>();
  #admin: SimulatedClient | undefined;

  constructor(options: SimulatedClusterOptions) {
    this.#options = options;
    this.time = virtualTime(options.seed);
    this.#random = this.time.random;
    this.wires = new Wires({
      time: this.time,
      random: this.#newRandom(),
      settings: { ...goodLink, ...options.link },
    });
    this.#network = new SimulatedNetwork({
      ...options.network,
      wires: this.wires,
      random: this.#newRandom(),
      onSend: (message) => {
        this.trace.note(
          `${this.time.monotonicMs()} ${message.type} ${message.from}>${message.to} ${message.term} ${message.index} ${message.commit}`,
        );
        options.network?.onSend?.(message);
      },
    });
    this.#frontEnds = new FrontEnds((error, path) => this.#onFailure(path, error));
    const names = Array.from({ length: options.members ?? 3 }, (_, at) => `m${at + 1}`);
    for (const name of names) this.#addMachine(name, { initialClusterState: "new", founders: names });
  }

  /** Every machine that a member was put on, by name: `m1`, `m2` and so on. */
  get machines(): ReadonlyMap<string, SimulatedMachine> {
    return this.#machines;
  }

  /** Every client, by the name of its machine: `c1`, `c2` and so on. */
  get clients(): ReadonlyMap<string, SimulatedClient> {
    return this.#clients;
  }

  /** One machine. */
  machine(name: string): SimulatedMachine {
    const machine = this.#machines.get(name);
    if (machine === undefined) throw new RangeError(`The cluster has no machine '${name}'`);
    return machine;
  }

  /**
   * Carries out a scenario while time passes.
   *
   * @param limitMs - most time to let pass; default one hour
   * @returns what the scenario returns
   * @throws what it throws, or Error if time runs out
   */
  run<T>(scenario: () => Promise<T>, limitMs?: number): Promise<T> {
    return this.time.complete(scenario(), limitMs);
  }

  /** Lets time pass. To be used inside {@link SimulatedCluster.run}. */
  sleep(durationMs: number): Promise<void> {
    return new Promise((resolve) => void this.time.after(durationMs, resolve));
  }

  /** Starts all members; resolves when all of them serve. */
  async start(): Promise<void> {
    await Promise.all([...this.#machines.values()].map((machine) => machine.start()));
  }

  /** Cuts the power of a machine. What was not synced is dropped, torn or kept. */
  crash(name: string, tear: Tear = "drop"): void {
    this.#note(`crash ${name} ${tear}`);
    this.machine(name).crash(tear);
  }

  /** Starts a member that is down; resolves when it serves. */
  restart(name: string): Promise<void> {
    this.#note(`restart ${name}`);
    return this.machine(name).start();
  }

  /** Stops a member as SIGTERM does. */
  stop(name: string): Promise<void> {
    this.#note(`stop ${name}`);
    return this.machine(name).stop();
  }

  /** Stops every process on a machine, be it of a member or a client, as SIGSTOP does. */
  pause(name: string): void {
    this.#note(`pause ${name}`);
    this.#timeOf(name).pause();
  }

  /** Wakes a machine: timers that came due meanwhile fire late, and what arrived is read. */
  resume(name: string): void {
    this.#note(`resume ${name}`);
    this.#timeOf(name).resume();
  }

  /** Lets the clock of a machine run faster or slower. */
  drift(name: string, rate: number): void {
    this.#note(`drift ${name} ${rate}`);
    this.#timeOf(name).drift(rate);
  }

  /** Sets the wall clock of a machine forward or back. */
  jumpWall(name: string, byMs: number): void {
    this.#note(`jump ${name} ${byMs}`);
    this.#timeOf(name).jumpWall(byMs);
  }

  /** Lets nothing pass between machines of different groups. Machines in no group, such as clients, reach everyone. */
  partition(...groups: readonly (readonly string[])[]): void {
    this.#note(`partition ${groups.map((group) => group.join(",")).join("|")}`);
    for (const group of groups)
      for (const other of groups)
        if (group !== other) for (const from of group) for (const to of other) this.wires.block({ from, to });
  }

  /** Cuts a machine off from every other one, clients included. */
  isolate(name: string): void {
    this.#note(`isolate ${name}`);
    for (const other of [...this.#machines.keys(), ...this.#clients.keys()]) {
      if (other === name) continue;
      this.wires.block({ from: name, to: other });
      this.wires.block({ from: other, to: name });
    }
  }

  /** Lets nothing pass in one direction. */
  cut({ from, to }: Route): void {
    this.#note(`cut ${from}>${to}`);
    this.wires.block({ from, to });
  }

  /** Ends all partitions. */
  heal(): void {
    this.#note("heal");
    this.wires.unblockAll();
  }

  /** Makes the disk of a machine slower by a factor; 1 ends it. */
  slowDisk(name: string, factor: number): void {
    this.#note(`slow ${name} ${factor}`);
    this.machine(name).slowness = factor;
  }

  /** Leaves so many bytes free on the disk of a machine; `Infinity` ends it. */
  fullDisk(name: string, freeBytes: number): void {
    this.#note(`full ${name} ${freeBytes}`);
    this.machine(name).disk.limitFreeBytes(freeBytes);
  }

  /** The machine whose member leads in the highest term; undefined if none says that it leads. */
  leader(): string | undefined {
    let [leader, leaderTerm] = [undefined as string | undefined, 0];
    for (const { name, member } of this.#machines.values()) {
      const term = member?.raftStatus.term ?? 0;
      if (member?.role === "leader" && term > leaderTerm) [leader, leaderTerm] = [name, term];
    }
    return leader;
  }

  /** Waits until a member leads that a majority follows, and gives its machine. */
  async waitForLeader(timeoutMs = 60_000): Promise<string> {
    const endMs = this.time.monotonicMs() + timeoutMs;
    for (;;) {
      const leader = this.leader();
      if (leader !== undefined && this.machine(leader).member?.isConfirmedLeader) return leader;
      if (this.time.monotonicMs() >= endMs) throw new Error(`No leader within ${timeoutMs} ms`);
      await this.sleep(50);
    }
  }

  /** Adds a member on a new machine, as a learner first unless told otherwise; resolves with its name when it serves. */
  async addMember(options: { readonly isLearner?: boolean } = {}): Promise<string> {
    const name = `m${this.#machines.size + 1}`;
    const machine = this.#addMachine(name, { initialClusterState: "existing", founders: [] });
    machine.retire();
    this.#note(`add ${name}`);
    await this.#join(machine, options.isLearner ?? true);
    return name;
  }

  /** Takes the vote to a learner, once it has caught up. */
  async promote(name: string, timeoutMs = 60_000): Promise<void> {
    const id = await this.#idOf(name);
    this.#note(`promote ${name}`);
    await this.#until(() => this.#adminClient().cluster.memberPromote(id), { timeoutMs });
  }

  /** Removes a member from the cluster; it stops by itself once it learns of it. */
  async removeMember(name: string): Promise<void> {
    this.#note(`remove ${name}`);
    const id = await this.#idOf(name);
    await this.#onceHealthy(() => this.#adminClient().cluster.memberRemove(id));
  }

  /** Loses everything that a member has and lets it join again as a new one; resolves when it serves. */
  async wipe(name: string): Promise<void> {
    this.#note(`wipe ${name}`);
    const machine = this.machine(name);
    machine.crash("drop");
    await this.removeMember(name);
    machine.retire();
    await this.rejoin(name);
  }

  /** Lets a machine whose member was removed join again, as a new member without data; resolves when it has its vote. */
  async rejoin(name: string): Promise<void> {
    this.#note(`rejoin ${name}`);
    await this.#forget(name);
    await this.#join(this.machine(name), true);
    await this.promote(name);
  }

  /**
   * Makes a client on a machine of its own. It knows all members that there are, speaks to them over the same wires,
   * and lives on the time of its machine.
   */
  client(options: Omit<ClientOptions, "transport" | "clock" | "scheduler" | "random"> = {}): SimulatedClient {
    const name = `c${this.#clients.size + 1}`;
    const client = this.#createClient(name, options);
    this.#clients.set(name, client);
    return client;
  }

  #createClient(name: string, options: ClientOptions): SimulatedClient {
    const time = this.#newTime(name);
    const random = this.#newRandom();
    const { wires } = this;
    // What is under way in the client when its machine is killed must not go on after it.
    const process = time.process();
    const machine = { name, time: process };
    const transport = simulatedTransport({ wires, frontEnds: this.#frontEnds, machine, random });
    const client = createClient({
      endpoints: [...this.#machines.values()].map(({ endpoint }) => endpoint),
      ...options,
      clock: process,
      scheduler: process,
      random,
      transport,
    });
    return { name, time, client, transport };
  }

  #adminClient(): Client {
    this.#admin ??= this.#createClient("admin", {});
    return this.#admin.client;
  }

  #addMachine(
    name: string,
    start: { readonly initialClusterState: "new" | "existing"; readonly founders: string[] },
  ): SimulatedMachine {
    const initialCluster = start.founders.map((founder) => `${founder}=http://${addressOf(founder)}:2380`).join(",");
    const machine = new SimulatedMachine(
      {
        name,
        time: this.#newTime(name),
        address: addressOf(name),
        settings: {
          ...simulatedSettings,
          ...this.#options.settings,
          initialCluster,
          initialClusterState: start.initialClusterState,
        },
        latencyMs: this.#options.latencyMs ?? ((call) => soundDiskMs[call]),
      },
      {
        network: this.#network,
        frontEnds: this.#frontEnds,
        random: this.#newRandom(),
        log: (from) => this.#log(from),
        onFailure: (from, error) => this.#onFailure(from, error),
        onEnd: (member) => this.#options.onEnd?.(member),
      },
    );
    this.#machines.set(name, machine);
    this.#frontEnds.place(machine.endpoint, name);
    return machine;
  }

  async #join(machine: SimulatedMachine, isLearner: boolean): Promise<void> {
    const { members } = await this.#onceHealthy(() =>
      this.#adminClient().cluster.memberAdd([machine.peerUrl], { isLearner }),
    );
    const initialCluster = members
      .flatMap(({ name, peerUrls }) => peerUrls.map((url) => `${this.#nameAt(url) ?? name}=${url}`))
      .join(",");
    machine.wipe({ initialCluster, initialClusterState: "existing" });
    await machine.start();
  }

  #nameAt(peerUrl: string): string | undefined {
    return [...this.#machines.values()].find((machine) => machine.peerUrl === peerUrl)?.name;
  }

  async #idOf(name: string): Promise<bigint> {
    const { peerUrl } = this.machine(name);
    const { members } = await this.#adminClient().cluster.memberList();
    const member = members.find(({ peerUrls }) => peerUrls.includes(peerUrl));
    if (member === undefined) throw new Error(`The cluster has no member '${name}'`);
    return member.id;
  }

  /** Removes a member that was added and never came. */
  async #forget(name: string): Promise<void> {
    const id = await this.#idOf(name).catch(() => undefined);
    if (id !== undefined) await this.#onceHealthy(() => this.#adminClient().cluster.memberRemove(id));
  }

  /**
   * Changes the members as soon as those that there are have been connected for long enough. One that joins again in the
   * second in which it joined before would get the id of the one that was removed, as in etcd, and is refused.
   */
  #onceHealthy<T>(attempt: () => Promise<T>): Promise<T> {
    const retried = (error: unknown) =>
      isConclaveError(error, "UNHEALTHY") || isConclaveError(error, "MEMBER_NOT_FOUND");
    return this.#until(attempt, { timeoutMs: healthTimeoutMs, retried });
  }

  async #until<T>(
    attempt: () => Promise<T>,
    { timeoutMs, retried = () => true }: { readonly timeoutMs: number; readonly retried?: (error: unknown) => boolean },
  ): Promise<T> {
    const endMs = this.time.monotonicMs() + timeoutMs;
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (this.time.monotonicMs() >= endMs || !retried(error)) throw error;
        await this.sleep(200);
      }
    }
  }

  #log(machine: string) {
    const note = (level: string) => (message: string, fields?: LogFields) =>
      this.#note(`${machine} ${level} ${message}${fields === undefined ? "" : ` ${JSON.stringify(fields, plain)}`}`);
    return { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") };
  }

  #onFailure(machine: string, error: unknown): void {
    this.#note(`${machine} failed: ${String(error)}`);
    this.failures.push({ machine, error });
  }

  #note(line: string): void {
    this.trace.note(`${this.time.monotonicMs()} ${line}`);
  }

  #timeOf(name: string): MachineTime {
    const time = this.#machines.get(name)?.time ?? this.#clients.get(name)?.time;
    if (time === undefined) throw new RangeError(`The simulation has no machine '${name}'`);
    return time;
  }

  #newRandom(): Random {
    return seededRandom(this.#random.below(2 ** 31));
  }

  #newTime(name: string): MachineTime {
    return new MachineTime(this.time, this.#options.clock?.(name) ?? this.#drawClock());
  }

  #drawClock(): MachineClock {
    return {
      startMs: this.#random.fraction() * 1_000_000,
      wallAheadMs: (this.#random.fraction() - 0.5) * 1_000,
      rate: 1 + (this.#random.fraction() - 0.5) * 0.002,
    };
  }
}

/** `m7` has the address 10.0.0.7. */
function addressOf(machine: string): string {
  return `10.0.0.${machine.slice(1)}`;
}

function plain(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
