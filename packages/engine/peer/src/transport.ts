import type { ServerResponse } from "node:http";
import type { Timer } from "@conclave/base";
import type { Message } from "@conclave/raft";
import type { Home } from "./home.ts";
import { formatId } from "./member-id.ts";
import { Peer } from "./peer.ts";
import type { OutgoingDatabase, PeerStats, PeerTransport } from "./peer-network.ts";
import { PeerUrls } from "./peer-urls.ts";
import { PostQueue } from "./post-queue.ts";
import { SnapshotSender } from "./snapshot-sender.ts";
import type { StreamKind } from "./stream-reader.ts";

/** The ways to all other members. */
export class Transport implements PeerTransport {
  readonly #home: Home;
  readonly #closeListeners: () => Promise<void>;
  readonly #peers = new Map<bigint, Peer>();
  /** Those that sent something and are no peers yet: a newcomer is to be answered before its addition is applied. */
  readonly #remotes = new Map<bigint, PostQueue>();
  /** Those that were removed and may still be told. */
  readonly #leaving = new Map<Peer, Timer>();
  readonly #snapshots: SnapshotSender;
  #keepAlive: Timer | undefined;
  #closed = false;
  #closing: Promise<void> | undefined;

  constructor(home: Home, closeListeners: () => Promise<void>) {
    this.#home = home;
    this.#closeListeners = closeListeners;
    this.#snapshots = new SnapshotSender(home);
    this.#scheduleKeepAlive();
  }

  get peers(): ReadonlySet<bigint> {
    return new Set(this.#peers.keys());
  }

  send(messages: readonly Message[]): void {
    for (const message of withoutOutdatedAcks(messages)) this.#enqueue(message);
    for (const peer of this.#peers.values()) peer.flush();
  }

  sendSnapshot(message: Message, database: OutgoingDatabase): void {
    this.#snapshots.send(message, { database, urls: this.#peers.get(message.to)?.urls });
  }

  addPeer(id: bigint, urls: readonly string[]): void {
    if (this.#closed || id === this.#home.identity.memberId || this.#peers.has(id) || urls.length === 0) return;
    this.#remotes.get(id)?.close();
    this.#remotes.delete(id);
    const peer = new Peer({ home: this.#home, id, urls, onMessage: (message) => void this.deliver(message) });
    this.#peers.set(id, peer);
    peer.start();
  }

  updatePeer(id: bigint, urls: readonly string[]): void {
    if (urls.length > 0) this.#peers.get(id)?.urls.replace(urls);
  }

  removePeer(id: bigint): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    this.#peers.delete(id);
    peer.end();
    const { scheduler, limits } = this.#home;
    const giveUp = () => {
      this.#leaving.delete(peer);
      peer.close();
    };
    this.#leaving.set(peer, scheduler.after(limits.removalMs, giveUp, { background: true }));
  }

  activeSince(id: bigint): number | undefined {
    return this.#peers.get(id)?.activeSinceMs;
  }

  stats(id: bigint): PeerStats | undefined {
    return this.#peers.get(id)?.counters;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#closed = true;
    this.#keepAlive?.cancel();
    for (const timer of this.#leaving.values()) timer.cancel();
    for (const peer of [...this.#peers.values(), ...this.#leaving.keys()]) peer.close();
    for (const posts of this.#remotes.values()) posts.close();
    await Promise.all([this.#home.http.close(), this.#snapshots.close(), this.#closeListeners()]);
  }

  /** Takes a message from the network. Tells whether it was meant for this member, and by a member that has not left. */
  deliver(message: Message): boolean {
    const { identity, receiver, faults } = this.#home;
    if (this.#closed) return false;
    const removed = receiver.wasRemoved(message.from);
    if (message.to === identity.memberId && !removed) {
      receiver.onMessage(message);
      return true;
    }
    const cause = removed ? "its sender was removed" : `it is for ${formatId(message.to)}`;
    faults.warn({ message: "refused a message", peer: formatId(message.from), cause });
    return false;
  }

  /** Hands the body of a stream to the peer that has dialled it. */
  attach(id: bigint, stream: { readonly kind: StreamKind; readonly response: ServerResponse }): void {
    this.#peers.get(id)?.attach(stream.kind, stream.response);
  }

  /** Whether messages can be sent to this member over streams. */
  isPeer(id: bigint): boolean {
    return this.#peers.has(id);
  }

  /** Takes note of where a sender that is no peer can be answered. */
  addRemote(id: bigint, urls: readonly string[]): void {
    const { limits, receiver, identity } = this.#home;
    if (id === identity.memberId || this.#peers.has(id) || this.#remotes.has(id) || receiver.wasRemoved(id)) return;
    const [oldest] = this.#remotes.keys();
    if (oldest !== undefined && this.#remotes.size >= limits.remotesMax) {
      this.#remotes.get(oldest)?.close();
      this.#remotes.delete(oldest);
    }
    const onFailure = () => undefined;
    this.#remotes.set(id, new PostQueue({ home: this.#home, urls: new PeerUrls(urls), onFailure }));
  }

  #enqueue(message: Message): void {
    // A snapshot goes together with its database; alone it would replace nothing.
    if (message.type === "MsgSnap") this.#home.receiver.onSnapshotStatus(message.to, "failure");
    else (this.#peers.get(message.to) ?? this.#remotes.get(message.to))?.enqueue(message);
  }

  #scheduleKeepAlive(): void {
    const { scheduler, limits } = this.#home;
    // A stall of this process is not a stall of a stream: what the sockets have to say is heard before it is judged.
    const tell = () => scheduler.atTurnEnd(() => this.#tellAll());
    this.#keepAlive = scheduler.after(limits.keepAliveMs, tell, { background: true });
  }

  #tellAll(): void {
    if (this.#closed) return;
    for (const peer of this.#peers.values()) peer.keepAlive();
    this.#scheduleKeepAlive();
  }
}

/** Of several acknowledgements in a batch to one member only the last counts, as it covers those before. */
function withoutOutdatedAcks(messages: readonly Message[]): readonly Message[] {
  const last = new Map<bigint, Message>();
  let count = 0;
  for (const message of messages) {
    if (message.type !== "MsgAppResp") continue;
    last.set(message.to, message);
    count++;
  }
  if (count === last.size) return messages;
  return messages.filter((message) => message.type !== "MsgAppResp" || last.get(message.to) === message);
}
