/**
 * @module The networks that a cluster of processes can be put in. Each gives a member its addresses and may know how
 * to lose what one member sends to another.
 */
import { freePorts } from "./free-ports.ts";
import type { ServerCommand } from "./server-process.ts";

/**
 * Which network a cluster is in.
 *
 * - `"loopback"`: members reach each other directly; nothing can be cut.
 * - `"relay"`: members reach each other through a relay in the test's process, which can be cut for each pair and
 *   direction. Needs Linux: the relay looks up in `/proc` whose connection it has.
 * - `"namespaces"`: each member has a network namespace and a host name of its own. Needs Linux and root, see
 *   {@link namespacesAbsence}.
 */
export type ClusterNetworkKind = "loopback" | "relay" | "namespaces";

/** The addresses of a member. */
export interface MemberAddresses {
  /** Where clients of this process reach it, as `host:port`. */
  readonly endpoint: string;
  /** Where it listens for clients, separated by commas; default: at its endpoint. */
  readonly listenClientUrls?: string;
  /** Where it tells clients that it is; default: at its endpoint. */
  readonly advertisedClientUrl?: string;
  /** Where other members reach it. */
  readonly peerUrl: string;
  /** Where it listens for them. */
  readonly listenPeerUrl: string;
}

/** A network of members that are known by their names. */
export interface ClusterNetwork extends AsyncDisposable {
  /** Makes room for one more member. */
  join(name: string): Promise<MemberAddresses>;
  /** The command that runs another one where a member is. */
  commandAt(name: string, command: ServerCommand): ServerCommand;
  /** Tells which process a member is now. */
  runsAs(name: string, pid: number): void;
  /** From now on loses what `from` sends to `to`; what connections hold on the way is late rather than lost. */
  cut(from: string, to: string): Promise<void>;
  /** Takes back every cut. */
  heal(): Promise<void>;
  /** Lets go of what would outlive this process, at once, as it ends. */
  abandon(): void;
}

/** Members on ports of the loopback interface, with nothing in between. */
export function loopbackNetwork(): ClusterNetwork {
  return {
    async join() {
      const [clientPort, peerPort] = await freePorts(2);
      const peerUrl = `http://127.0.0.1:${peerPort}`;
      return { endpoint: `127.0.0.1:${clientPort}`, peerUrl, listenPeerUrl: peerUrl };
    },
    commandAt: (_name, command) => command,
    runsAs: () => {},
    cut: () => Promise.reject(new TypeError('Cannot cut the network "loopback": use "relay" or "namespaces"')),
    heal: async () => {},
    abandon: () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}
