/**
 * @module A machine of a simulated cluster and the member on it: a clock of its own, a disk that loses what was not
 * synced, a store, and the life of the member between power failures.
 */
import type { Random } from "@conclave/base";
import { createMemoryBackend, type MemoryBackend } from "@conclave/mvcc";
import { bindServices, type Log, type Member, MemberError, type MemberSettings, openMember } from "@conclave/server";
import { seededRandom } from "../seeded-random.ts";
import { type DiskCall, type SimulatedDisk, simulatedDisk } from "../simulated-disk.ts";
import type { Tear } from "../simulated-file.ts";
import type { FrontEnds } from "./front-ends.ts";
import type { MachineTime, ProcessTime } from "./machine-time.ts";
import type { SimulatedNetwork } from "./simulated-network.ts";

/** The world that machines share. */
export interface MachineWorld {
  /** The network between members. */
  readonly network: SimulatedNetwork;
  /** Where clients reach them. */
  readonly frontEnds: FrontEnds;
  /** Draws what is random in each life. */
  readonly random: Random;
  /** Takes the log lines. */
  readonly log: (machine: string) => Log;
  /** Is told that a member stopped by itself. */
  readonly onFailure: (machine: string, error: unknown) => void;
  /** Is told of every member that ends, in order or not, as it was last. */
  readonly onEnd: (member: Member) => void;
}

/** What a machine is made of. */
export interface MachineOptions {
  /** Its name, also that of its member. */
  readonly name: string;
  /** Its time. */
  readonly time: MachineTime;
  /** The address that it is reached at. */
  readonly address: string;
  /** What its member is told; the addresses follow from the machine's. */
  readonly settings: Omit<MemberSettings, "name" | "peerUrls" | "clientUrls">;
  /** How long a call of a sound disk takes, in ms. */
  readonly latencyMs: (call: DiskCall) => number;
}

/** What becomes of a member. */
export type MachineState =
  /** Not running: never started, stopped, or without power. */
  | "down"
  /** On its way to serve. */
  | "starting"
  /** It serves. */
  | "running"
  /** On its way out. */
  | "stopping"
  /** It stopped by itself, as its disk failed it or a rule was broken. */
  | "failed"
  /** Not a member: not yet, or not any more. */
  | "removed";

/** How long a member that was removed goes on, as the process does, so that its last answers leave. */
const removedGraceMs = 1_000;

/** A machine of a simulated cluster. */
export class SimulatedMachine {
  /** Its name, also that of its member. */
  readonly name: string;
  /** Its time. */
  readonly time: MachineTime;
  /** Where other members reach it. */
  readonly peerUrl: string;
  /** Where clients reach it. */
  readonly endpoint: string;
  readonly #world: MachineWorld;
  readonly #options: MachineOptions;
  readonly #random: Random;
  #settings: MachineOptions["settings"];
  #disk: SimulatedDisk;
  #backend: MemoryBackend;
  #member: Member | undefined;
  #state: MachineState = "down";
  /** Counts the lives of the member. */
  #life = 0;
  #slowness = 1;
  /** Resolves when nothing of the member runs any more; another one for each life. */
  #gone: Promise<void> = Promise.resolve();
  #onGone: () => void = () => {};

  constructor(options: MachineOptions, world: MachineWorld) {
    this.name = options.name;
    this.time = options.time;
    this.peerUrl = `http://${options.address}:2380`;
    this.endpoint = `${options.address}:2379`;
    this.#options = options;
    this.#settings = options.settings;
    this.#world = world;
    this.#random = seededRandom(world.random.below(2 ** 31));
    this.#disk = this.#newDisk();
    this.#backend = this.#newBackend();
  }

  /** What becomes of its member. */
  get state(): MachineState {
    return this.#state;
  }

  /** The member while it is starting or running; undefined while it is opened. */
  get member(): Member | undefined {
    return this.#member;
  }

  /** The disk, for faults. */
  get disk(): SimulatedDisk {
    return this.#disk;
  }

  /** How much slower than a sound disk this one is; default 1. */
  set slowness(factor: number) {
    this.#slowness = factor;
  }

  /**
   * Starts the member on what is on the disk and in the store.
   *
   * @returns when it serves, or when its power has failed before
   * @throws what keeps it from starting
   */
  async start(): Promise<void> {
    if (!isAtRest(this.#state)) throw new Error(`Cannot start ${this.name} while it is ${this.#state}`);
    const life = ++this.#life;
    const time = this.time.process();
    this.#state = "starting";
    this.#gone = new Promise((resolve) => {
      this.#onGone = resolve;
    });
    try {
      const member = await openMember(this.#memberSettings(), this.#memberPorts(time));
      if (life !== this.#life) return;
      this.#member = member;
      void member.removed.then(() => this.#leave(life));
      await member.start((error) => this.#fail(life, error));
      if (life !== this.#life || this.#state !== "starting") return;
      this.#state = "running";
      const services = bindServices({ quotaBackendBytes: 0, maxTxnOps: 128 }, member);
      this.#world.frontEnds.serve(this.endpoint, { name: this.name, time }, services);
    } catch (error) {
      // One that has failed while it started is on its way out already, and one without power has no voice.
      const state = error instanceof MemberError && error.code === "REMOVED" ? "removed" : "failed";
      if (life === this.#life && this.#state === "starting") await this.#end(state);
      throw error;
    }
  }

  /** Cuts the power: what was not synced is dropped, torn or kept, and nothing of the member runs any more. */
  crash(tear: Tear): void {
    this.#life++;
    this.#vanish();
    this.#disk = this.#disk.crash({ tear });
    this.#backend = this.#backend.crash();
  }

  /** Stops the member as SIGTERM does; resolves when it is down, be it that its power fails on the way. */
  async stop(): Promise<void> {
    await Promise.race([this.#stopInOrder(), this.#gone]);
  }

  async #stopInOrder(): Promise<void> {
    const life = this.#life;
    // Clients are served until there is a successor; one that is only starting leads nobody.
    if (this.#state === "running") await this.#member?.handOver();
    if (!isAtRest(this.#state) && life === this.#life) await this.#end("down");
  }

  /** Takes note that the machine's member is none of the cluster. It must be down. */
  retire(): void {
    if (!isAtRest(this.#state)) throw new Error(`Cannot retire ${this.name} while it is ${this.#state}`);
    this.#state = "removed";
  }

  /** Takes everything off the disk. The member must be down. */
  wipe(settings: Partial<MachineOptions["settings"]> = {}): void {
    if (!isAtRest(this.#state)) throw new Error(`Cannot wipe ${this.name} while it is ${this.#state}`);
    this.#state = "down";
    this.#settings = { ...this.#settings, ...settings };
    this.#disk = this.#newDisk();
    this.#backend = this.#newBackend();
  }

  /** Ends the member, in order as far as it can be. */
  async #end(state: "down" | "failed" | "removed"): Promise<void> {
    const life = this.#life;
    if (this.#state === "stopping") return;
    this.#state = "stopping";
    const member = this.#member;
    this.#world.frontEnds.close(this.endpoint);
    // What a failed member cannot let go of has been told with its failure.
    await member?.stop().catch(() => {});
    if (life !== this.#life) return;
    this.#life++;
    this.#vanish();
    this.#state = state;
    // The process is gone and the machine is not: what was written stays, what the store had not committed does not.
    this.#disk = this.#disk.crash({ tear: "keep" });
    this.#backend = this.#backend.crash();
  }

  #vanish(): void {
    if (this.#member !== undefined) this.#world.onEnd(this.#member);
    this.time.kill();
    this.#world.network.detach(this.name);
    this.#world.frontEnds.withdraw(this.endpoint);
    this.#member = undefined;
    this.#state = "down";
    this.#onGone();
  }

  #fail(life: number, error: unknown): void {
    if (life !== this.#life) return;
    this.#world.onFailure(this.name, error);
    void this.#end("failed");
  }

  #leave(life: number): void {
    if (life !== this.#life) return;
    this.time.after(removedGraceMs, () => void this.#end("removed"));
  }

  #memberSettings(): MemberSettings {
    const { name, peerUrl, endpoint } = this;
    return { ...this.#settings, name, peerUrls: [peerUrl], clientUrls: [`http://${endpoint}`] };
  }

  #memberPorts(time: ProcessTime): Parameters<typeof openMember>[1] {
    const { network, log } = this.#world;
    return {
      clock: time,
      scheduler: time,
      random: seededRandom(this.#random.below(2 ** 31)),
      fileSystem: this.#disk,
      openBackend: async () => this.#backend,
      log: log(this.name),
      peers: network.attach({ name: this.name, time }, [this.peerUrl]),
    };
  }

  #newDisk(): SimulatedDisk {
    return simulatedDisk({ random: this.#random, scheduler: this.time, latencyMs: (call) => this.#latencyMs(call) });
  }

  #newBackend(): MemoryBackend {
    return createMemoryBackend({ persist: () => this.time.sleep(this.#latencyMs("sync")) });
  }

  #latencyMs(call: DiskCall): number {
    return this.#options.latencyMs(call) * this.#slowness;
  }
}

/** Whether nothing of the member runs. */
function isAtRest(state: MachineState): boolean {
  return state === "down" || state === "failed" || state === "removed";
}
