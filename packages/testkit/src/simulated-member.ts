/**
 * @module A whole member on virtual time: raft, log, state machine, leases and watches as in production, on a simulated
 * disk and a store in memory. One seed decides everything, so the same seed gives the same run.
 */
import { createMemoryBackend, type MemoryBackend } from "@conclave/mvcc";
import type { PeerNetwork } from "@conclave/peer";
import { type Member, type MemberSettings, openMember, silentLog } from "@conclave/server";
import type { FileSystem } from "@conclave/wal";
import { type DiskCall, type SimulatedDisk, simulatedDisk } from "./simulated-disk.ts";
import type { Tear } from "./simulated-file.ts";
import { simulatedSettings } from "./simulated-settings.ts";
import { MachineTime } from "./simulation/machine-time.ts";
import { SimulatedNetwork } from "./simulation/simulated-network.ts";
import { Wires } from "./simulation/wires.ts";
import { type VirtualTime, virtualTime } from "./virtual-time.ts";

/** What a simulated member is made of. */
export interface SimulatedMemberOptions {
  /** Decides everything random. */
  readonly seed: number;
  /** Settings that differ from etcd's defaults; default: none. */
  readonly settings?: Partial<MemberSettings>;
  /** How long a call of the disk takes, in ms; default: 0. */
  readonly latencyMs?: (call: DiskCall) => number;
  /** Puts something between member and disk, such as a fault; default: nothing. */
  readonly wrapDisk?: (disk: FileSystem) => FileSystem;
}

const defaults: MemberSettings = {
  ...simulatedSettings,
  name: "simulated",
  peerUrls: ["http://127.0.0.1:2380"],
  clientUrls: ["http://127.0.0.1:2379"],
};

/** A member on virtual time that can be crashed and started again. */
export class SimulatedMember {
  /** The time it lives on; nothing happens while it stands still. */
  readonly time: VirtualTime;
  readonly #options: SimulatedMemberOptions;
  #disk: SimulatedDisk;
  #backend: MemoryBackend = createMemoryBackend();
  #member: Member | undefined;
  #failure: unknown;

  /** Creates the member's world; {@link SimulatedMember.start} starts it. */
  constructor(options: SimulatedMemberOptions) {
    this.#options = options;
    this.time = virtualTime(options.seed);
    this.#disk = simulatedDisk({
      random: this.time.random,
      scheduler: this.time,
      latencyMs: options.latencyMs ?? (() => 0),
    });
  }

  /** The running member. */
  get member(): Member {
    if (this.#member === undefined) throw new Error("The simulated member is not running");
    return this.#member;
  }

  /** The disk, for faults. */
  get disk(): SimulatedDisk {
    return this.#disk;
  }

  /** Why the member stopped by itself; undefined if it did not. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Opens the member on what is on the disk and in the store, and waits until it can serve. */
  async start(): Promise<Member> {
    this.#failure = undefined;
    this.#member = await this.time.complete(this.#open(this.#backend));
    await this.time.complete(
      this.member.start((error) => {
        this.#failure = error;
      }),
    );
    return this.member;
  }

  /** Cuts the power: what was not synced is dropped, torn or kept. The member is gone until it is started again. */
  async crash(tear: Tear): Promise<void> {
    const member = this.#member;
    this.#member = undefined;
    this.#disk = this.#disk.crash({ tear });
    this.#backend = this.#backend.crash();
    // Whatever the dead member still does fails; nobody hears of it.
    await this.time.complete(member?.abort().catch(() => {}) ?? Promise.resolve());
  }

  /** Stops the member as SIGTERM does. */
  async stop(): Promise<void> {
    const member = this.member;
    this.#member = undefined;
    await this.time.complete(member.stop());
  }

  /**
   * Another member that knows only the log, all of it, as it is on the disk now: what it replays must be what this one
   * has. Stop or crash this one first, and stop the copy.
   */
  async replayedCopy(): Promise<Member> {
    const copy = await this.time.complete(this.#open(createMemoryBackend()));
    await this.time.complete(copy.start(() => {}));
    return copy;
  }

  /** A network with nobody else on it. */
  #lonelyNetwork(): PeerNetwork {
    const { time } = this;
    const wires = new Wires({ time, random: time.random });
    const network = new SimulatedNetwork({ wires, random: time.random });
    return network.attach({ name: "simulated", time: new MachineTime(time) }, defaults.peerUrls);
  }

  #open(backend: MemoryBackend): Promise<Member> {
    const disk = this.#options.wrapDisk?.(this.#disk) ?? this.#disk;
    return openMember(
      { ...defaults, ...this.#options.settings },
      {
        clock: this.time,
        scheduler: this.time,
        random: this.time.random,
        fileSystem: disk,
        openBackend: async () => backend,
        peers: this.#lonelyNetwork(),
        log: silentLog,
      },
    );
  }
}
