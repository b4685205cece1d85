import type { PeerLog } from "./options.ts";

/** Faults that are remembered; the one that was told of longest ago is forgotten first. */
const faultsMax = 256;
/** Causes of one fault that are told of; more than that only differ in details. */
const causesMax = 8;

/** What goes wrong, with whom and why. */
export interface Fault {
  /** The log message. */
  readonly message: string;
  /** The other one, as it is known here. */
  readonly peer: string;
  /** Why. */
  readonly cause: string;
}

/**
 * Logs what keeps going wrong once for each cause. Members that cannot talk try ten times a second; the tries are not
 * news, a new cause is, and so is one that comes back after all was well.
 */
export class CauseLog {
  readonly #log: PeerLog;
  readonly #told = new Map<string, Set<string>>();

  constructor(log: PeerLog) {
    this.#log = log;
  }

  /** Warns of a fault, unless this cause of it was told. */
  warn(fault: Fault): void {
    const { message, peer, cause } = fault;
    const causes = this.#causesOf(keyOf(fault));
    if (causes.has(cause) || causes.size >= causesMax) return;
    causes.add(cause);
    this.#log.warn(message, { peer, cause });
  }

  /** Forgets a fault that is over. */
  clear(fault: Omit<Fault, "cause">): void {
    this.#told.delete(keyOf(fault));
  }

  #causesOf(key: string): Set<string> {
    const causes = this.#told.get(key) ?? new Set();
    this.#told.set(key, causes);
    const [oldest] = this.#told.keys();
    if (this.#told.size > faultsMax && oldest !== undefined) this.#told.delete(oldest);
    return causes;
  }
}

function keyOf({ message, peer }: Omit<Fault, "cause">): string {
  return `${peer} ${message}`;
}
