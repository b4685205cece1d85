/**
 * @module The network between simulated members: the port that the peer protocol implements over HTTP, on wires that
 * delay, lose, double and reorder. A member is reached at its peer URLs while it is open, and answers only those who
 * mean it and its cluster.
 */
import type { Random } from "@conclave/base";
import {
  type OutgoingDatabase,
  PeerError,
  type PeerIdentity,
  type PeerNetwork,
  type PeerReceiver,
  type PeerTransport,
} from "@conclave/peer";
import type { Message } from "@conclave/raft";
import type { ProcessTime } from "./machine-time.ts";
import { createPeerCalls } from "./peer-calls.ts";
import { transferSnapshot } from "./snapshot-transfer.ts";
import type { Wires } from "./wires.ts";

/** What a simulated network is made of. */
export interface SimulatedNetworkOptions {
  /** The wires that everything takes. */
  readonly wires: Wires;
  /** Sends every message through this, such as an encoder and a decoder; default: as it is, frozen. */
  readonly recode?: (message: Message) => Message;
  /** The chance that a snapshot breaks off on its way, from 0 to 1; default: 0. */
  readonly interruption?: number;
  /** Decides whether it does. */
  readonly random: Pick<Random, "fraction">;
  /** Is told of every message that is sent, before anything can happen to it; default: nobody. */
  readonly onSend?: (message: Message) => void;
}

/** A machine as the network knows it. */
export interface NetworkMachine {
  /** Its name. */
  readonly name: string;
  /** Its time: what arrives while it is stopped waits. */
  readonly time: ProcessTime;
}

/** A member that listens. */
export interface Endpoint extends NetworkMachine {
  /** Who it is. */
  readonly identity: PeerIdentity;
  /** What it does with what arrives. */
  readonly receiver: PeerReceiver;
  /** Since when it listens, in the time of the simulation. */
  readonly openedMs: number;
}

/** The network of all members of a simulation. */
export class SimulatedNetwork {
  /** What it is made of. */
  readonly options: SimulatedNetworkOptions;
  readonly #hosts = new Map<string, string>();
  readonly #endpoints = new Map<string, Endpoint>();

  constructor(options: SimulatedNetworkOptions) {
    this.options = options;
  }

  /** The network as one machine's member has it. */
  attach(machine: NetworkMachine, peerUrls: readonly string[]): PeerNetwork {
    for (const url of peerUrls) this.#hosts.set(url, machine.name);
    return {
      ...createPeerCalls(this, machine),
      open: async (identity, receiver) => {
        // Who was killed while it came up listens no more.
        if (!machine.time.isAlive) return await new Promise<PeerTransport>(() => {});
        return this.#open({ ...machine, identity, receiver });
      },
    };
  }

  /** Takes a machine off the network, as when its power fails: connections to it break. */
  detach(name: string): void {
    this.#endpoints.delete(name);
  }

  /** The name of the machine that a URL leads to. */
  hostOf(url: string): string | undefined {
    return this.#hosts.get(url);
  }

  /** The member that listens on a machine. */
  endpoint(name: string): Endpoint | undefined {
    return this.#endpoints.get(name);
  }

  #open(listener: Omit<Endpoint, "openedMs">): PeerTransport {
    const { name } = listener;
    if (this.#endpoints.has(name)) throw new PeerError("LISTEN", `Cannot listen as '${name}' listens already`);
    const endpoint = { ...listener, openedMs: this.options.wires.nowMs };
    this.#endpoints.set(name, endpoint);
    return new SimulatedPeerTransport(this, endpoint);
  }
}

/** How often a member connects to those that it knows. */
const greetingMs = 2_000;

interface KnownPeer {
  urls: readonly string[];
  readonly addedMs: number;
}

/** The messages of one member on their way. */
class SimulatedPeerTransport implements PeerTransport {
  readonly #network: SimulatedNetwork;
  readonly #self: Endpoint;
  readonly #peers = new Map<bigint, KnownPeer>();
  #isClosed = false;

  constructor(network: SimulatedNetwork, self: Endpoint) {
    this.#network = network;
    this.#self = self;
    this.#greetAll();
  }

  get peers(): ReadonlySet<bigint> {
    return new Set(this.#peers.keys());
  }

  send(messages: readonly Message[]): void {
    const { recode = frozen, onSend } = this.#network.options;
    if (!this.#self.time.isAlive) return;
    for (const message of messages) {
      const to = this.#hostOf(message.to);
      if (to === undefined || this.#isClosed) continue;
      onSend?.(message);
      this.#post(recode(message), to);
    }
  }

  sendSnapshot(message: Message, database: OutgoingDatabase): void {
    const to = this.#hostOf(message.to);
    if (to === undefined || this.#isClosed) {
      void database.release();
      return;
    }
    const { recode = frozen, onSend } = this.#network.options;
    onSend?.(message);
    void transferSnapshot(this.#network, this.#self, { message: recode(message), database, to }).then((isTaken) => {
      if (!this.#isClosed) this.#self.receiver.onSnapshotStatus(message.to, isTaken ? "finish" : "failure");
    });
  }

  addPeer(id: bigint, urls: readonly string[]): void {
    if (this.#peers.has(id)) return;
    this.#peers.set(id, { urls, addedMs: this.#nowMs });
    this.#greet(id);
  }

  updatePeer(id: bigint, urls: readonly string[]): void {
    const peer = this.#peers.get(id);
    if (peer !== undefined) peer.urls = urls;
  }

  removePeer(id: bigint): void {
    this.#peers.delete(id);
  }

  /** Nobody counts here. */
  stats(): undefined {
    return undefined;
  }

  activeSince(id: bigint): number | undefined {
    const peer = this.#peers.get(id);
    const to = this.#hostOf(id);
    if (peer === undefined || to === undefined) return undefined;
    const endpoint = this.#network.endpoint(to);
    const { wires } = this.#network.options;
    const routes = [
      { from: this.#self.name, to },
      { from: to, to: this.#self.name },
    ];
    if (endpoint?.identity.memberId !== id || routes.some((route) => wires.isBlocked(route))) return undefined;
    const sinceMs = Math.max(
      peer.addedMs,
      this.#self.openedMs,
      endpoint.openedMs,
      ...routes.map((route) => wires.openedMs(route)),
    );
    return this.#self.time.monotonicMs() - (this.#nowMs - sinceMs);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#network.detach(this.#self.name);
  }

  get #nowMs(): number {
    return this.#network.options.wires.nowMs;
  }

  #hostOf(id: bigint): string | undefined {
    for (const url of this.#peers.get(id)?.urls ?? []) {
      const host = this.#network.hostOf(url);
      if (host !== undefined) return host;
    }
    return undefined;
  }

  /** Connections are tried again and again. */
  #greetAll(): void {
    if (this.#isClosed) return;
    for (const id of this.#peers.keys()) this.#greet(id);
    this.#self.time.after(greetingMs, () => this.#greetAll());
  }

  /** Connects to a member, as one that sends nothing does too: whoever was removed learns it by that. */
  #greet(id: bigint): void {
    const to = this.#hostOf(id);
    if (to === undefined) return;
    const deliver = () => {
      const endpoint = this.#network.endpoint(to);
      if (endpoint?.identity.clusterId !== this.#self.identity.clusterId) return;
      endpoint.time.deliver(() => {
        if (endpoint.receiver.wasRemoved(this.#self.identity.memberId)) this.#sayRemoved(to);
      });
    };
    this.#network.options.wires.send({ from: this.#self.name, to, isConnected: true, deliver });
  }

  #post(message: Message, to: string): void {
    const { wires, random } = this.#network.options;
    const unreachable = this.#self.time.bind(() => {
      if (!this.#isClosed) this.#self.receiver.onUnreachable(message.to);
    });
    wires.send({
      from: this.#self.name,
      to,
      // Proposals that are forwarded have no place in a log yet by which the leader could tell that it has met them: as in
      // etcd, nothing but the connections they come over keeps them from being carried out twice.
      isRepeatable: message.type !== "MsgProp",
      deliver: () => {
        if (!this.#arrive(message, to)) unreachable();
      },
      // Some losses show at once, as when a connection breaks, and some only by what does not come back.
      onLost: () => {
        if (random.fraction() < 0.5) unreachable();
      },
    });
  }

  /** @returns whether anybody was there */
  #arrive(message: Message, to: string): boolean {
    const endpoint = this.#network.endpoint(to);
    if (endpoint === undefined || endpoint.identity.memberId !== message.to) return false;
    if (endpoint.identity.clusterId !== this.#self.identity.clusterId) return true;
    endpoint.time.deliver(() => {
      if (endpoint.receiver.wasRemoved(message.from)) this.#sayRemoved(to);
      else endpoint.receiver.onMessage(message);
    });
    return true;
  }

  /** One who was removed learns it from the first member that it speaks to. */
  #sayRemoved(by: string): void {
    const { wires } = this.#network.options;
    const deliver = this.#self.time.bind(() => {
      if (!this.#isClosed) this.#self.receiver.onRemoved();
    });
    wires.send({ from: by, to: this.#self.name, isConnected: true, deliver });
  }
}

/** A message that nobody changes by mistake while it is under way. */
function frozen(message: Message): Message {
  Object.freeze(message.entries);
  return Object.freeze(message);
}
