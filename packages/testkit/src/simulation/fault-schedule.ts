/**
 * @module What goes wrong in a run: machines lose their power, are stopped and woken, lose each other; disks are slow,
 * full or fail; clocks drift and jump; members come and go. The seed decides what, whom it hits, when and for how long.
 */
import type { Random } from "@conclave/base";
import type { Message } from "@conclave/raft";
import { MemberError } from "@conclave/server";
import type { Tear } from "../simulated-file.ts";
import type { SimulatedCluster } from "./simulated-cluster.ts";
import type { SimulatedMachine } from "./simulated-machine.ts";
import type { LinkSettings } from "./wires.ts";

/** The kinds of faults. */
export type FaultKind =
  /** A machine loses its power and what it had not synced. */
  | "crash"
  /** A machine loses its power again and again, and is back at once. */
  | "flapping"
  /** All machines lose their power at once. */
  | "blackout"
  /** A member is stopped in order and started again. */
  | "restart"
  /** The machines fall into two groups that do not reach each other. */
  | "partition"
  /** A machine reaches nobody, or only clients. */
  | "isolation"
  /** A machine is heard by another one that it does not hear. */
  | "oneWay"
  /** The network loses, doubles and reorders. */
  | "badNetwork"
  /** Everything takes long on its way, and nothing is lost. */
  | "slowNetwork"
  /** The leader loses its power while the network is slow, and so does who has just given its vote, to be back at once. */
  | "contestedElection"
  /** A machine is stopped for a while, as by SIGSTOP. */
  | "pause"
  /** A clock runs too fast or too slow from now on. */
  | "drift"
  /** A wall clock is set by up to an hour. */
  | "wallJump"
  /** A disk is slow. */
  | "slowDisk"
  /** A disk is full. */
  | "fullDisk"
  /** A sync fails. */
  | "failedSync"
  /** The leader is asked to hand over. */
  | "transfer"
  /** A member joins. */
  | "grow"
  /** A member is removed. */
  | "shrink"
  /** A member loses all its data and joins again. */
  | "wipe";

/** The kinds that do not hit a single machine that was drawn before. */
type CommonFaultKind =
  | "blackout"
  | "partition"
  | "badNetwork"
  | "slowNetwork"
  | "contestedElection"
  | "transfer"
  | "grow"
  | "shrink"
  | "wipe";

/** What a schedule is made of. */
export interface FaultScheduleOptions {
  /** The cluster that is to suffer. */
  readonly cluster: SimulatedCluster;
  /** Decides everything. */
  readonly random: Random;
  /** How often each kind happens, relative to the others; default: {@link defaultFaults}. */
  readonly weights?: Partial<Record<FaultKind, number>>;
  /** Time between two faults, in ms, on average; default: 3 000. */
  readonly everyMs?: number;
  /** Most voting members to grow to; default: 5. */
  readonly membersMax?: number;
}

/** How often each kind of fault happens by default. */
export const defaultFaults: Readonly<Record<FaultKind, number>> = {
  crash: 20,
  flapping: 5,
  blackout: 2,
  restart: 5,
  partition: 10,
  isolation: 10,
  oneWay: 8,
  badNetwork: 8,
  slowNetwork: 4,
  contestedElection: 4,
  pause: 10,
  drift: 3,
  wallJump: 3,
  slowDisk: 5,
  fullDisk: 3,
  failedSync: 3,
  transfer: 6,
  grow: 2,
  shrink: 2,
  wipe: 3,
};

const badLink: Partial<LinkSettings> = {
  delayMs: [0.2, 40],
  loss: 0.1,
  duplication: 0.1,
  reordering: 0.1,
  breaking: 0.02,
};
const slowLink: Partial<LinkSettings> = { delayMs: [50, 300] };
/** Slow enough for a voter to be back before the request of the next candidate comes. */
const electionLink: Partial<LinkSettings> = { delayMs: [1, 150] };
const calmLink: Partial<LinkSettings> = { delayMs: [0.2, 1], loss: 0, duplication: 0, reordering: 0, breaking: 0 };
/**
 * Least members of which one may be removed. The one that is left of two can need the vote of the other for ever: if it
 * fails before it hears that the removal was committed, and the other, which knows, has gone. So it is with etcd.
 */
const removableMin = 3;
/** Longest time that a member of a repaired cluster takes to start. */
const repairMs = 60_000;
const tears: readonly Tear[] = ["drop", "keep", "cut", "tear"];

/** Makes things go wrong until it is stopped. */
export class FaultSchedule {
  /** How often each kind has happened. */
  readonly counts: Partial<Record<FaultKind, number>> = {};
  readonly #cluster: SimulatedCluster;
  readonly #random: Random;
  readonly #everyMs: number;
  readonly #membersMax: number;
  readonly #weights: readonly (readonly [FaultKind, number])[];
  readonly #underWay = new Set<Promise<void>>();
  #isStopped = false;
  #isChangingMembers = false;
  /** How many elections are contested at the moment. */
  #contests = 0;

  constructor(options: FaultScheduleOptions) {
    this.#cluster = options.cluster;
    this.#random = options.random;
    this.#everyMs = options.everyMs ?? 3_000;
    this.#membersMax = options.membersMax ?? 5;
    this.#weights = Object.entries(options.weights ?? defaultFaults) as [FaultKind, number][];
  }

  /** To be called with every message that a member sends, for the faults that wait for one. */
  onMessage({ type, reject, from, to }: Message): void {
    if (this.#contests === 0 || this.#isStopped || type !== "MsgVoteResp" || reject || from === to) return;
    const voter = this.#running().find(({ member }) => member?.id === from);
    const { member } = voter ?? {};
    if (voter === undefined || this.#random.below(2) === 0) return;
    // Not before the message is on its way.
    void this.#cluster.sleep(0).then(() => {
      if (voter.member !== member) return;
      this.#cluster.crash(voter.name, "drop");
      this.#reboot(voter.name);
    });
  }

  /** Lets things go wrong until {@link FaultSchedule.stop}. */
  async run(): Promise<void> {
    for (;;) {
      await this.#cluster.sleep(this.#random.fraction() * 2 * this.#everyMs);
      if (this.#isStopped) return;
      const kind = this.#draw();
      if (kind !== undefined) this.#start(kind);
    }
  }

  /** Starts no more faults. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Ends every fault that lasts: machines run, the network is whole, disks are sound, and every member that was not
   * removed is started. Resolves when they serve.
   *
   * @throws Error if a member does not start
   */
  async repair(): Promise<void> {
    this.stop();
    const cluster = this.#cluster;
    cluster.heal();
    cluster.wires.configure(calmLink);
    for (const { name, disk } of cluster.machines.values()) {
      cluster.resume(name);
      cluster.slowDisk(name, 1);
      disk.limitFreeBytes(Number.POSITIVE_INFINITY);
    }
    await Promise.all(this.#underWay);
    await this.#bringUp();
  }

  /** Starts every member that is not running, or that stops once more, until all of them run at one time. */
  async #bringUp(): Promise<void> {
    const machines = [...this.#cluster.machines.values()];
    const endMs = this.#cluster.time.monotonicMs() + repairMs;
    let failure: unknown;
    for (;;) {
      const idle = machines.filter(({ state }) => state !== "running" && state !== "removed");
      if (idle.length === 0) return;
      if (this.#cluster.time.monotonicMs() > endMs) {
        const states = idle.map(({ name, state }) => `${name} is ${state}`);
        throw new Error(`After ${repairMs} ms ${states.join(", ")}`, { cause: failure });
      }
      for (const machine of idle)
        if (machine.state === "down" || machine.state === "failed")
          this.#revive(machine).catch((error: unknown) => {
            failure = error;
          });
      await this.#cluster.sleep(200);
    }
  }

  /** Starts a member; one that never came into the cluster it was told of joins the one that there is. */
  async #revive({ name, disk }: SimulatedMachine): Promise<void> {
    disk.limitFreeBytes(Number.POSITIVE_INFINITY);
    try {
      await this.#cluster.restart(name);
    } catch (error) {
      if (!(error instanceof MemberError) || error.code !== "JOIN") throw error;
      await this.#cluster.rejoin(name);
    }
  }

  #start(kind: FaultKind): void {
    const fault = this.#carryOut(kind);
    if (fault === undefined) return;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    this.#underWay.add(fault);
    void fault.finally(() => this.#underWay.delete(fault));
  }

  /** @returns undefined if none may happen */
  #draw(): FaultKind | undefined {
    let at = this.#random.fraction() * this.#weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [kind, weight] of this.#weights) {
      at -= weight;
      if (at < 0) return kind;
    }
    return undefined;
  }

  /** @returns when the fault is over; undefined if there is nobody it could hit */
  #carryOut(kind: FaultKind): Promise<void> | undefined {
    switch (kind) {
      case "blackout":
        return this.#blackout();
      case "partition":
        return this.#partition();
      case "badNetwork":
        return this.#badNetwork();
      case "slowNetwork":
        return this.#slowNetwork();
      case "contestedElection":
        return this.#contestElection();
      case "transfer":
        return this.#transfer();
      case "grow":
        return this.#changeMembers(() => this.#grow());
      case "shrink":
        return this.#changeMembers(() => this.#shrink());
      case "wipe":
        return this.#changeMembers(() => this.#wipe());
      default: {
        const target = this.#victim();
        return target === undefined ? undefined : this.#hit(kind, target);
      }
    }
  }

  #hit(kind: Exclude<FaultKind, CommonFaultKind>, target: SimulatedMachine): Promise<void> {
    switch (kind) {
      case "crash":
        return this.#crash(target.name);
      case "flapping":
        return this.#flap(target.name);
      case "restart":
        return this.#restart(target.name);
      case "isolation":
        return this.#isolate(target.name);
      case "oneWay":
        return this.#oneWay(target.name);
      case "pause":
        return this.#pause(target.name);
      case "drift":
        return this.#drift(target.name);
      case "wallJump":
        return this.#wallJump(target.name);
      case "slowDisk":
        return this.#slowDisk(target.name);
      case "fullDisk":
        return this.#fullDisk(target.name);
      case "failedSync":
        return this.#failedSync(target);
    }
  }

  async #crash(name: string): Promise<void> {
    this.#cluster.crash(name, this.#pick(tears));
    await this.#last(10, 5_000);
    this.#reboot(name);
  }

  async #flap(name: string): Promise<void> {
    const times = 2 + this.#random.below(4);
    for (let time = 0; time < times; time++) {
      this.#cluster.crash(name, this.#pick(tears));
      this.#reboot(name);
      await this.#last(1, 400);
    }
  }

  async #blackout(): Promise<void> {
    const running = this.#running();
    for (const { name } of running) this.#cluster.crash(name, this.#pick(tears));
    await this.#last(10, 2_000);
    for (const { name } of running) this.#reboot(name);
  }

  async #restart(name: string): Promise<void> {
    await this.#cluster.stop(name);
    await this.#last(10, 1_000);
    this.#reboot(name);
  }

  async #partition(): Promise<void> {
    const names = this.#running().map(({ name }) => name);
    const cut = 1 + this.#random.below(Math.max(1, names.length - 1));
    const shuffled = this.#shuffled(names);
    const clients = this.#shuffled([...this.#cluster.clients.keys()]);
    const half = this.#random.below(clients.length + 1);
    // Some clients stay with each side and some reach both.
    const spread = this.#random.below(2) === 0 ? [[], []] : [clients.slice(0, half), clients.slice(half)];
    this.#cluster.partition(
      [...shuffled.slice(0, cut), ...(spread[0] ?? [])],
      [...shuffled.slice(cut), ...(spread[1] ?? [])],
    );
    await this.#last(500, 8_000);
    this.#cluster.heal();
  }

  async #isolate(name: string): Promise<void> {
    const others = [...this.#cluster.machines.keys()].filter((other) => other !== name);
    // What a member says to clients when it has lost the others matters as much.
    if (this.#random.below(2) === 0) this.#cluster.isolate(name);
    else this.#cluster.partition([name], others);
    await this.#last(500, 8_000);
    this.#cluster.heal();
  }

  async #oneWay(name: string): Promise<void> {
    for (const { name: other } of this.#running())
      if (other !== name && this.#random.below(2) === 0)
        this.#cluster.cut(this.#random.below(2) === 0 ? { from: name, to: other } : { from: other, to: name });
    await this.#last(500, 8_000);
    this.#cluster.heal();
  }

  async #badNetwork(): Promise<void> {
    this.#cluster.wires.configure(badLink);
    await this.#last(1_000, 10_000);
    this.#cluster.wires.configure(calmLink);
  }

  async #slowNetwork(): Promise<void> {
    this.#cluster.wires.configure(slowLink);
    await this.#last(2_000, 15_000);
    this.#cluster.wires.configure(calmLink);
  }

  async #contestElection(): Promise<void> {
    this.#cluster.wires.configure(electionLink);
    this.#contests++;
    const leader = this.#cluster.leader();
    if (leader !== undefined) this.#cluster.crash(leader, this.#pick(tears));
    await this.#last(2_000, 5_000);
    this.#contests--;
    if (leader !== undefined) this.#reboot(leader);
    this.#cluster.wires.configure(calmLink);
  }

  async #pause(name: string): Promise<void> {
    this.#cluster.pause(name);
    await this.#last(100, 5_000);
    this.#cluster.resume(name);
  }

  async #drift(name: string): Promise<void> {
    this.#cluster.drift(name, 1 + (this.#random.fraction() - 0.5) * 0.02);
  }

  async #wallJump(name: string): Promise<void> {
    this.#cluster.jumpWall(name, (this.#random.fraction() - 0.5) * 7_200_000);
  }

  async #slowDisk(name: string): Promise<void> {
    this.#cluster.slowDisk(name, 2 ** (1 + this.#random.below(9)));
    await this.#last(500, 5_000);
    this.#cluster.slowDisk(name, 1);
  }

  async #fullDisk(name: string): Promise<void> {
    this.#cluster.fullDisk(name, this.#random.below(8) * 4096);
    await this.#last(500, 5_000);
    this.#cluster.fullDisk(name, Number.POSITIVE_INFINITY);
    this.#reboot(name);
  }

  async #failedSync(target: SimulatedMachine): Promise<void> {
    const takeBack = target.disk.failNextSync();
    await this.#last(500, 3_000);
    takeBack();
    // Nobody knows what a disk holds that failed to sync: what was not synced is gone with the power.
    if (target.state === "failed") this.#cluster.crash(target.name, "drop");
    this.#reboot(target.name);
  }

  async #transfer(): Promise<void> {
    const leader = this.#cluster.leader();
    const member = leader === undefined ? undefined : this.#cluster.machine(leader).member;
    const heir = this.#running().at(this.#random.below(100) % Math.max(1, this.#running().length))?.member;
    if (member === undefined || heir === undefined) return;
    await Promise.race([member.transferLeadership(heir.id).catch(() => {}), this.#cluster.sleep(5_000)]);
  }

  #changeMembers(change: () => Promise<void>): Promise<void> | undefined {
    if (this.#isChangingMembers) return undefined;
    this.#isChangingMembers = true;
    // In a cluster that is in trouble a change may fail at any step: what counts is that nothing breaks by it.
    return Promise.race([change().catch(() => {}), this.#cluster.sleep(120_000)]).finally(() => {
      this.#isChangingMembers = false;
    });
  }

  async #grow(): Promise<void> {
    const removed = [...this.#cluster.machines.values()].find(({ state }) => state === "removed");
    if (this.#running().length >= this.#membersMax) return;
    const name = removed?.name ?? (await this.#cluster.addMember());
    if (removed !== undefined) await this.#cluster.rejoin(name);
    else await this.#cluster.promote(name);
  }

  async #shrink(): Promise<void> {
    const running = this.#running();
    if (running.length >= removableMin) await this.#cluster.removeMember(this.#pick(running).name);
  }

  async #wipe(): Promise<void> {
    const running = this.#running();
    if (running.length >= removableMin) await this.#cluster.wipe(this.#pick(running).name);
  }

  /**
   * Starts a member after a fault, unless another one wants it otherwise. Nobody waits until it serves: it may need
   * others that are down. Should it fail, repair tries again.
   */
  #reboot(name: string): void {
    const { state } = this.#cluster.machine(name);
    if (state === "down" || state === "failed") this.#cluster.restart(name).catch(() => {});
  }

  #running(): readonly SimulatedMachine[] {
    return [...this.#cluster.machines.values()].filter(({ state }) => state === "running");
  }

  /** Somebody who runs; every other time the leader. */
  #victim(): SimulatedMachine | undefined {
    const running = this.#running();
    const leader = this.#cluster.leader();
    const leading = running.find(({ name }) => name === leader);
    if (leading !== undefined && this.#random.below(2) === 0) return leading;
    return running.length === 0 ? undefined : this.#pick(running);
  }

  #last(shortestMs: number, longestMs: number): Promise<void> {
    return this.#cluster.sleep(shortestMs + this.#random.fraction() * (longestMs - shortestMs));
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#random.below(choices.length)] as T;
  }

  #shuffled<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let at = shuffled.length - 1; at > 0; at--) {
      const other = this.#random.below(at + 1);
      [shuffled[at], shuffled[other]] = [shuffled[other] as T, shuffled[at] as T];
    }
    return shuffled;
  }
}
