/**
 * @module The port between a member and the other members. Two ways lead to them: the transport of raft's messages,
 * which may lose them, and calls that are answered. The real adapter speaks etcd's peer protocol; the simulated one in
 * the testkit loses, delays and reorders.
 */
import type { Histogram } from "@conclave/base";
import type { HashKVResponse, LeaseTimeToLiveRequest, LeaseTimeToLiveResponse } from "@conclave/protocol/etcdserverpb";
import type { Message } from "@conclave/raft";

/** Who this member is, as it tells every other one. */
export interface PeerIdentity {
  /** Its id. */
  readonly memberId: bigint;
  /** The id of its cluster. Members of another one are refused. */
  readonly clusterId: bigint;
  /** The URLs that it is reached at, for those who do not know it yet. */
  readonly peerUrls: readonly string[];
}

/** The database of a snapshot on its way out. */
export interface OutgoingDatabase {
  /** Its size in bytes. */
  readonly sizeBytes: number;
  /** Its content, piece by piece; read once. */
  read(): AsyncIterable<Uint8Array>;
  /** Lets go of it. Called once, when it was sent or could not be. */
  release(): Promise<void>;
}

/** What went over the streams to and from a peer since it became known; for metrics, read when asked. */
export interface PeerStats {
  /** Bytes sent. */
  readonly sentBytes: number;
  /** Bytes received. */
  readonly receivedBytes: number;
  /** How often messages were lost on the way out. */
  readonly sendFailures: number;
  /** How long answers to probes took, in seconds. */
  readonly roundTrips: Histogram;
}

/** Carries raft's messages. Nothing here blocks or throws: what cannot be sent is dropped and reported. */
export interface PeerTransport {
  /**
   * Sends messages, in order for each receiver. Those for strangers are dropped, and so are those that a queue has no
   * room for; the receiver is then reported as unreachable. `MsgSnap` goes through {@link PeerTransport.sendSnapshot}.
   */
  send(messages: readonly Message[]): void;
  /** Sends a snapshot with its database; how it ended is reported through {@link PeerReceiver.onSnapshotStatus}. */
  sendSnapshot(message: Message, database: OutgoingDatabase): void;
  /** Takes up the way to a member; does nothing if it is known already. */
  addPeer(id: bigint, urls: readonly string[]): void;
  /** Changes where a member is reached; does nothing if it is not known. */
  updatePeer(id: bigint, urls: readonly string[]): void;
  /** Gives up the way to a member. What is queued for it is still tried for a moment: it may say that it was removed. */
  removePeer(id: bigint): void;
  /** The ids of the peers. */
  readonly peers: ReadonlySet<bigint>;
  /** Since when (monotonic, in ms) a member has been connected; undefined while it is not. */
  activeSince(id: bigint): number | undefined;
  /** What went to and came from a member; undefined if it is no peer, or nobody counts. */
  stats(id: bigint): PeerStats | undefined;
  /** Closes every connection and the listeners. */
  close(): Promise<void>;
}

/** One member as the others describe it. */
export interface PeerMember {
  /** Its id. */
  readonly id: bigint;
  /** Its name; empty until it has started. */
  readonly name: string;
  /** Where other members reach it. */
  readonly peerUrls: readonly string[];
  /** Where clients reach it; empty until it has started. */
  readonly clientUrls: readonly string[];
  /** Whether it has no vote yet. */
  readonly isLearner: boolean;
}

/** The versions that a member speaks. */
export interface PeerVersion {
  /** Of the member, as `3.6.0`. */
  readonly server: string;
  /** Of the cluster, as `3.6.0`; `not_decided` before it is known. */
  readonly cluster: string;
}

/** What a member gives to the ways that lead to it: where messages go and who answers the calls. */
export interface PeerReceiver {
  /** Takes a message. */
  onMessage(message: Message): void;
  /**
   * Takes a snapshot: resolves once its database is durable and raft has taken the message.
   *
   * @throws whatever kept it from that; the sender is told that it failed
   */
  onSnapshot(message: Message, database: AsyncIterable<Uint8Array>): Promise<void>;
  /** A message for a member could not be delivered. */
  onUnreachable(id: bigint): void;
  /** A snapshot was delivered, or could not be. */
  onSnapshotStatus(id: bigint, status: "finish" | "failure"): void;
  /** Another member said that this one was removed from the cluster. */
  onRemoved(): void;
  /** Whether a member of this id once left. */
  wasRemoved(id: bigint): boolean;

  /** The members, for one that is about to join. */
  members(): readonly PeerMember[];
  /** The versions spoken. */
  version(): PeerVersion;
  /** Whether the cluster is going back to an earlier version. */
  downgrading(): boolean;
  /**
   * Gives a learner its vote, as leader; the request is not passed on.
   *
   * @throws WireError `MemberNotFound`, `MemberNotLearner`, `LearnerNotReady`, `MemberNotEnoughStarted`, `NotLeader`
   */
  promote(id: bigint): Promise<readonly PeerMember[]>;
  /**
   * Renews a lease, at its leader.
   *
   * @returns the TTL in seconds
   * @throws WireError `LeaseNotFound`, `Timeout` while this member does not lead or has not caught up
   */
  renewLease(id: bigint): Promise<number>;
  /** Tells the time a lease has left, at its leader; errors as for {@link PeerReceiver.renewLease}. */
  leaseTimeToLive(request: LeaseTimeToLiveRequest): Promise<LeaseTimeToLiveResponse>;
  /**
   * The hash of the state at a revision.
   *
   * @throws WireError `Compacted`, `FutureRevision`
   */
  hashKv(revision: number): Promise<HashKVResponse>;
}

/** Where a call goes and how long it may take. */
export interface PeerCall {
  /** Peer URLs of the member to ask, tried one after another. */
  readonly urls: readonly string[];
  /** After how many milliseconds to give up. */
  readonly timeoutMs: number;
}

/**
 * Calls to other members. All reject with a {@link PeerError} if no answer came, and with the WireError that the other
 * one answered.
 */
export interface PeerCalls {
  /** The members and the cluster that the asked one knows. */
  members(call: PeerCall): Promise<{ readonly clusterId: bigint; readonly members: readonly PeerMember[] }>;
  /** The versions that the asked one speaks. */
  version(call: PeerCall): Promise<PeerVersion>;
  /** See {@link PeerReceiver.promote}. */
  promote(call: PeerCall, id: bigint): Promise<readonly PeerMember[]>;
  /** See {@link PeerReceiver.renewLease}. */
  renewLease(call: PeerCall, id: bigint): Promise<number>;
  /** See {@link PeerReceiver.leaseTimeToLive}. */
  leaseTimeToLive(call: PeerCall, request: LeaseTimeToLiveRequest): Promise<LeaseTimeToLiveResponse>;
  /** See {@link PeerReceiver.hashKv}. `clusterId` keeps a member of another cluster from answering. */
  hashKv(call: PeerCall, request: { readonly revision: number; readonly clusterId: bigint }): Promise<HashKVResponse>;
}

/** The network of a member: calls can be made at once, messages flow after `open`. */
export interface PeerNetwork extends PeerCalls {
  /**
   * Listens for other members and starts to carry messages.
   *
   * @throws PeerError `LISTEN` if an address cannot be listened on
   */
  open(identity: PeerIdentity, receiver: PeerReceiver): Promise<PeerTransport>;
}
