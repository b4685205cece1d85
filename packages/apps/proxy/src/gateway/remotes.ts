/** @module Which member the next connection is led to. */
import { connect, type Socket } from "node:net";
import { withoutUserInfo } from "@conclave/base";
import { type HostAndPort, parseHostAndPort, type WeightedEndpoint } from "../endpoint.ts";
import { ProxyError } from "../proxy-error.ts";

/** A member that connections can be led to. */
export interface Remote {
  /** Its address, as it was named. */
  readonly address: string;
  /** The lower, the earlier it is taken. */
  readonly priority: number;
  /** Its share among those of its priority. */
  readonly weight: number;
  /** Whether it could be dialled when last tried. */
  active: boolean;
  /** What it is ahead of its share by; the sum over those that take turns is 0. */
  credit: number;
  /** Where it is. */
  readonly at: HostAndPort;
}

/**
 * The members in turn: of those that can be dialled the ones of the best priority, each as often as its weight says
 * and as evenly as can be (smooth weighted round robin; plain round robin where all weights are equal).
 */
export class Remotes {
  readonly #all: readonly Remote[];

  /** @throws ProxyError `CONFIG` for an address that is not `host:port` */
  constructor(endpoints: readonly WeightedEndpoint[]) {
    this.#all = endpoints.map(({ address, priority, weight }) => {
      const at = parseHostAndPort(address);
      if (at === undefined || at.host === "")
        throw new ProxyError("CONFIG", `error parsing endpoint ${JSON.stringify(withoutUserInfo(address))}`);
      return { address, priority, weight, at, active: true, credit: 0 };
    });
  }

  /** Those that could not be dialled. */
  get failed(): readonly Remote[] {
    return this.#all.filter(({ active }) => !active);
  }

  /** The next in turn; undefined if none can be dialled. */
  pick(): Remote | undefined {
    const active = this.#all.filter((remote) => remote.active);
    const best = Math.min(...active.map(({ priority }) => priority));
    const candidates = active.filter(({ priority }) => priority === best);
    for (const remote of candidates) remote.credit += remote.weight;
    const [first, ...others] = candidates;
    if (first === undefined) return undefined;
    const chosen = others.reduce((left, right) => (right.credit > left.credit ? right : left), first);
    chosen.credit -= candidates.reduce((sum, { weight }) => sum + weight, 0);
    return chosen;
  }
}

/**
 * Connects to a member; the connection stays open for writing when the member ends its half.
 *
 * @throws Error if there is no connection within the time
 */
export function dial({ host, port }: HostAndPort, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true, keepAlive: true });
    const fail = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs);
    socket.once("error", fail);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.off("error", fail);
      resolve(socket);
    });
  });
}
