/**
 * @module A network that can be cut: what members send each other passes through the test's process. Each member is
 * known to the others by the address of a relay in front of it. Which member has opened a connection is read from the
 * system's table of sockets, so every byte between two members obeys a cut, whatever protocol they speak.
 *
 * A cut direction is a black hole, not a refusal: connections stay open and their bytes wait in the buffers of the
 * sockets, as they would between two machines whose packets are lost. When it is healed they arrive, late.
 */
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { ClusterNetwork } from "./cluster-network.ts";
import { freePorts } from "./free-ports.ts";

/** A direction between two members. */
type Direction = `${string}>${string}`;

/** One half of a connection: bytes from one socket to the other. */
interface Flow {
  readonly direction: Direction | undefined;
  readonly source: Socket;
}

/** Makes a network of relays. */
export function relayNetwork(): ClusterNetwork {
  return new RelayNetwork();
}

class RelayNetwork implements ClusterNetwork {
  readonly #servers: Server[] = [];
  readonly #pids = new Map<string, number>();
  readonly #flows = new Set<Flow>();
  readonly #cuts = new Set<Direction>();

  async join(name: string) {
    const [clientPort, peerPort] = await freePorts(2);
    const relay = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      this.#relay(socket, { name, port: peerPort ?? 0 });
    });
    this.#servers.push(relay);
    await once(relay.listen(0, "127.0.0.1"), "listening");
    const { port } = relay.address() as AddressInfo;
    return {
      endpoint: `127.0.0.1:${clientPort}`,
      peerUrl: `http://127.0.0.1:${port}`,
      listenPeerUrl: `http://127.0.0.1:${peerPort}`,
    };
  }

  commandAt<Command>(_name: string, command: Command): Command {
    return command;
  }

  runsAs(name: string, pid: number): void {
    this.#pids.set(name, pid);
  }

  async cut(from: string, to: string): Promise<void> {
    this.#cuts.add(`${from}>${to}`);
    for (const flow of this.#flows) if (this.#isCut(flow)) flow.source.pause();
  }

  async heal(): Promise<void> {
    this.#cuts.clear();
    for (const { source } of this.#flows) source.resume();
  }

  abandon(): void {}

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { source } of this.#flows) source.destroy();
    await Promise.all(this.#servers.map((server) => once(server.close(), "close")));
  }

  #isCut({ direction }: Flow): boolean {
    return direction !== undefined && this.#cuts.has(direction);
  }

  #relay(caller: Socket, to: { readonly name: string; readonly port: number }): void {
    const from = this.#ownerOf(caller);
    const callee = connect({ port: to.port, host: "127.0.0.1", allowHalfOpen: true });
    this.#pump({ direction: directionOf(from, to.name), source: caller }, callee);
    this.#pump({ direction: directionOf(to.name, from), source: callee }, caller);
  }

  #pump(flow: Flow, sink: Socket): void {
    const { source } = flow;
    this.#flows.add(flow);
    source.on("data", (bytes) => {
      if (sink.write(bytes)) return;
      source.pause();
      sink.once("drain", () => this.#isCut(flow) || source.resume());
    });
    source.once("end", () => sink.end());
    source.on("error", () => {}); // Followed by "close".
    source.once("close", () => {
      this.#flows.delete(flow);
      sink.destroy();
    });
    if (this.#isCut(flow)) source.pause();
    else source.resume();
  }

  /** The member that has opened a connection; undefined if it is a stranger, which is never cut. */
  #ownerOf({ remotePort = 0, localPort = 0 }: Socket): string | undefined {
    const inode = inodeOf(remotePort, localPort);
    if (inode === undefined) return undefined;
    return [...this.#pids].find(([, pid]) => hasSocket(pid, inode))?.[0];
  }
}

function directionOf(from: string | undefined, to: string | undefined): Direction | undefined {
  return from === undefined || to === undefined ? undefined : `${from}>${to}`;
}

/** The inode of the other end of a loopback connection; undefined if it is closed already. */
function inodeOf(port: number, peerPort: number): string | undefined {
  // Fields of a line: number, local address, remote address, state, queues, timers, retransmits, uid, timeout, inode.
  const hex = (each: number) => each.toString(16).toUpperCase().padStart(4, "0");
  const ends = ` 0100007F:${hex(port)} 0100007F:${hex(peerPort)} `;
  const line = readFileSync("/proc/net/tcp", "latin1")
    .split("\n")
    .find((each) => each.includes(ends));
  return line?.trim().split(/\s+/)[9];
}

function hasSocket(pid: number, inode: string): boolean {
  const directory = `/proc/${pid}/fd`;
  try {
    return readdirSync(directory).some((fd) => isLinkTo(`${directory}/${fd}`, `socket:[${inode}]`));
  } catch {
    return false; // The process has ended.
  }
}

function isLinkTo(path: string, target: string): boolean {
  try {
    return readlinkSync(path) === target;
  } catch {
    return false; // Closed meanwhile.
  }
}
