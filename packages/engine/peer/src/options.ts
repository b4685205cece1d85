import type { Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import type { Clock, Random, Scheduler } from "@conclave/base";

/** Details of a log line, by name. */
export type PeerLogFields = Readonly<Record<string, unknown>>;

/** Where the way between members writes its log lines. A cause that lasts is told once, not at every try. */
export interface PeerLog {
  /** For developers. */
  debug(message: string, fields?: PeerLogFields): void;
  /** What happened as it should, such as a member that was reached. */
  info(message: string, fields?: PeerLogFields): void;
  /** What an operator should look at some time, such as a member that was lost or a stranger that was refused. */
  warn(message: string, fields?: PeerLogFields): void;
  /** What an operator should look at now. */
  error(message: string, fields?: PeerLogFields): void;
}

/** Bounds of the way between members. Times are in milliseconds, sizes in bytes. */
export interface PeerLimits {
  /** How long a connection may take to come about. Default 2000: one second and the election timeout, as in etcd. */
  readonly dialTimeoutMs: number;
  /** How long to wait before a stream is dialled again; half of it is random. Default 100. */
  readonly redialMs: number;
  /** How often a stream says that it is there. Default 5000/3. */
  readonly keepAliveMs: number;
  /** After how long a stream on which nothing comes is given up. Default 5000. */
  readonly streamIdleMs: number;
  /** After how long a stream of which nobody takes anything is given up. Default 5000. */
  readonly streamBlockedMs: number;
  /** How often a peer is probed. Default 4000. */
  readonly probeMs: number;
  /** How long the answer to a message or a snapshot may take once all was sent. Default 5000. */
  readonly replyTimeoutMs: number;
  /** After how long a body of which nothing comes, or that nobody takes, is given up. Default 30 000. */
  readonly bodyIdleMs: number;
  /** How long the head of a request may take to come. Default 10 000. */
  readonly headTimeoutMs: number;
  /** How long to go on trying to tell a member that it was removed. Default 1000. */
  readonly removalMs: number;
  /** The largest message that is taken. Default 64 MiB: an append is at most 1 MiB and one entry. */
  readonly messageBytesMax: number;
  /** The largest body of a call and of its answer. Default 16 MiB. */
  readonly callBytesMax: number;
  /** Messages that wait for one stream. Default 4096. */
  readonly queuedMessagesMax: number;
  /** Bytes that wait for one stream. Default 64 MiB. */
  readonly queuedBytesMax: number;
  /** Messages on their way to one peer without a stream. Default 4. */
  readonly postsMax: number;
  /** Messages that wait for such a way. Default 64. */
  readonly queuedPostsMax: number;
  /** Snapshots on their way out, and as many on their way in. Default 16. */
  readonly snapshotsMax: number;
  /** Senders that are no members yet and get their answers nevertheless. Default 64. */
  readonly remotesMax: number;
  /** Connections that a listener takes. Default 1024. */
  readonly connectionsMax: number;
}

/** The limits that hold unless others are given. */
export const defaultPeerLimits: PeerLimits = {
  dialTimeoutMs: 2000,
  redialMs: 100,
  keepAliveMs: 5000 / 3,
  streamIdleMs: 5000,
  streamBlockedMs: 5000,
  probeMs: 4000,
  replyTimeoutMs: 5000,
  bodyIdleMs: 30_000,
  headTimeoutMs: 10_000,
  removalMs: 1000,
  messageBytesMax: 64 * 1024 * 1024,
  callBytesMax: 16 * 1024 * 1024,
  queuedMessagesMax: 4096,
  queuedBytesMax: 64 * 1024 * 1024,
  postsMax: 4,
  queuedPostsMax: 64,
  snapshotsMax: 16,
  remotesMax: 64,
  connectionsMax: 1024,
};

/** What encrypted connections between members need. */
export interface PeerTls {
  /** Encrypts what comes to `https` and `unixs` URLs; without it such URLs are refused. */
  readonly server?: PeerTlsServer | undefined;
  /** Encrypts what is dialled. */
  readonly client: PeerTlsClient;
}

/** The side of TLS that is connected to. */
export interface PeerTlsServer {
  /**
   * Makes an acceptor, which shakes hands on new connections.
   *
   * @param onSecured - takes each connection whose client is verified; those of others are ended
   */
  acceptor(onSecured: (connection: { readonly socket: Socket }) => void): PeerTlsAcceptor;
}

/** Shakes hands. */
export interface PeerTlsAcceptor {
  /** Shakes hands on a connection of which nothing has been read; ends it if that fails. */
  secure(socket: Socket): void;
}

/** The side of TLS that connects. */
export interface PeerTlsClient {
  /** What Node is to be told for the next connection. */
  connectionOptions(): ConnectionOptions;
}

/** What the way between members is made of. */
export interface PeerNetworkOptions {
  /**
   * Where to listen for other members: `http://host:port` (port 0 lets the system choose) or `unix://path`; `https` and
   * `unixs` for encrypted connections.
   */
  readonly listenUrls: readonly string[];
  /** Time. */
  readonly clock: Clock;
  /** Timers. */
  readonly scheduler: Scheduler;
  /** Spreads the tries of members that lost each other at the same moment. */
  readonly random: Random;
  /** The version told to other members, such as `3.6.0`. */
  readonly serverVersion: string;
  /** Where to log. */
  readonly log: PeerLog;
  /** How connections are encrypted. Default: those to `https` URLs as Node does it; there is nothing to listen with. */
  readonly tls?: PeerTls | undefined;
  /** Bounds that differ from {@link defaultPeerLimits}. */
  readonly limits?: Partial<PeerLimits>;
  /** Share the ports with other processes that ask for it too, where Node can (from 22.12). Default false. */
  readonly reusePort?: boolean;
}
