import type { PeerLog } from "./options.ts";

/** Faults that are remembered; the one that was told of longest ago is forgotten first. */
const faultsMax = 256;

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
 * news, a new cause is.
 */
export class CauseLog {
  readonly #log: PeerLog;
  readonly #causes = new Map<string, string>();

  constructor(log: PeerLog) {
    this.#log = log;
  }

  /** Warns of a fault, unless that was the last thing told of it. */
  warn({ message, peer, cause }: Fault): void {
    const key = keyOf({ message, peer });
    if (this.#causes.get(key) === cause) return;
    this.#remember(key, cause);
    this.#log.warn(message, { peer, cause });
  }

  /** Forgets a fault that is over. */
  clear(fault: Omit<Fault, "cause">): void {
    this.#causes.delete(keyOf(fault));
  }

  #remember(key: string, cause: string): void {
    this.#causes.delete(key);
    this.#causes.set(key, cause);
    const [oldest] = this.#causes.keys();
    if (this.#causes.size > faultsMax && oldest !== undefined) this.#causes.delete(oldest);
  }
}

function keyOf({ message, peer }: Omit<Fault, "cause">): string {
  return `${peer} ${message}`;
}
