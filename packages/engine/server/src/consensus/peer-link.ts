import { invariant } from "@conclave/base";
import type { PeerMember, PeerNetwork, PeerReceiver, PeerTransport } from "@conclave/peer";
import type { Message } from "@conclave/raft";
import type { Log } from "../log.ts";
import type { Membership } from "../membership/membership.ts";
import type { MembershipDelta } from "../membership/membership-changes.ts";
import type { SnapshotFiles } from "../snapshot/snapshot-files.ts";
import { SnapshotSender, type SnapshotSenderPorts } from "../snapshot/snapshot-sender.ts";
import { formatId } from "./ids.ts";
import type { PeerQueries } from "./peer-queries.ts";
import type { RaftLoop } from "./raft-loop.ts";

/** What connects a member with the others. */
export interface PeerLinkPorts {
  readonly self: { readonly memberId: bigint; readonly clusterId: bigint; readonly peerUrls: readonly string[] };
  readonly network: PeerNetwork;
  readonly raft: RaftLoop;
  readonly membership: Membership;
  readonly files: SnapshotFiles;
  /** Answers the questions of the others. */
  readonly queries: PeerQueries;
  /** What snapshots are made of. */
  readonly snapshots: Pick<SnapshotSenderPorts, "backend" | "flush" | "pause">;
  /** Told when this member has learned that it was removed. */
  readonly onRemoved: () => void;
  readonly log: Log;
}

/** The member's end of the ways to the others: messages and snapshots in both directions, as the membership says. */
export class PeerLink {
  readonly #ports: PeerLinkPorts;
  #transport: PeerTransport | undefined;
  #snapshotSender: SnapshotSender | undefined;

  constructor(ports: PeerLinkPorts) {
    this.#ports = ports;
  }

  /**
   * Listens for others and takes up the ways to those that are known already.
   *
   * @throws PeerError `LISTEN`
   */
  async open(known: readonly PeerMember[]): Promise<void> {
    const { network, self, files, snapshots, raft, log } = this.#ports;
    const transport = await network.open(self, this.#receiver());
    this.#transport = transport;
    this.#snapshotSender = new SnapshotSender({
      ...{ ...snapshots, files, transport, log },
      leadsIn: (term) => raft.leadsIn(term),
      onFailure: (to) => raft.reportSnapshot(to, "failure"),
    });
    this.#addPeers(known);
  }

  /** The ways themselves; there once {@link PeerLink.open} has resolved. */
  get transport(): PeerTransport {
    invariant(this.#transport !== undefined, "a member that runs has ways to the others");
    return this.#transport;
  }

  /** Since when a member has been connected, in monotonic ms; undefined while it is not. */
  activeSince(id: bigint): number | undefined {
    return this.#transport?.activeSince(id);
  }

  /** Sends what raft has to say. */
  send(messages: readonly Message[]): void {
    const snapshots = messages.filter(({ type }) => type === "MsgSnap");
    this.transport.send(snapshots.length === 0 ? messages : messages.filter(({ type }) => type !== "MsgSnap"));
    for (const message of snapshots) this.#snapshotSender?.send(message);
  }

  /** Takes up, changes or gives up the way to a member that has come, moved or left. */
  onMembershipChange(delta: MembershipDelta): void {
    const { self, onRemoved } = this.#ports;
    switch (delta.kind) {
      case "added":
        this.#addPeers([delta.member]);
        break;
      case "updated":
        if (delta.id !== self.memberId) this.transport.updatePeer(delta.id, delta.peerUrls);
        break;
      case "removed":
        if (delta.id === self.memberId) onRemoved();
        else this.transport.removePeer(delta.id);
        break;
      case "promoted": // The way stays the same.
    }
  }

  /** Brings the ways in line with a membership that was replaced as a whole. */
  followMembership(): void {
    const { membership, self, onRemoved } = this.#ports;
    const { transport } = this;
    for (const { id, peerUrls } of membership.members()) if (id !== self.memberId) transport.updatePeer(id, peerUrls);
    this.#addPeers(membership.members());
    for (const id of [...transport.peers]) if (membership.member(id) === undefined) transport.removePeer(id);
    if (membership.wasRemoved(self.memberId)) onRemoved();
  }

  /** Gives up all ways. */
  async close(): Promise<void> {
    await this.#transport?.close();
  }

  #addPeers(members: readonly PeerMember[]): void {
    const { self, membership } = this.#ports;
    for (const { id, peerUrls } of members)
      if (id !== self.memberId && !membership.wasRemoved(id)) this.transport.addPeer(id, peerUrls);
  }

  #receiver(): PeerReceiver {
    const { raft, queries, membership, onRemoved } = this.#ports;
    return {
      ...queries,
      onMessage: (message) => void raft.step(message),
      onSnapshot: (message, database) => this.#receiveSnapshot(message, database),
      onUnreachable: (id) => raft.reportUnreachable(id),
      onSnapshotStatus: (id, status) => raft.reportSnapshot(id, status),
      onRemoved,
      wasRemoved: (id) => membership.wasRemoved(id),
    };
  }

  async #receiveSnapshot(message: Message, database: AsyncIterable<Uint8Array>): Promise<void> {
    const { raft, files, log } = this.#ports;
    if (message.snapshot === undefined) throw new TypeError("Cannot take a snapshot message without a snapshot");
    const { index } = message.snapshot.metadata;
    await files.receive(index, database);
    log.info("received a snapshot", { from: formatId(message.from), "snapshot-index": index });
    raft.step(message);
  }
}
