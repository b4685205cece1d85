import type { Clock, Random, Scheduler } from "@conclave/base";
import type { CauseLog } from "./cause-log.ts";
import type { HttpClient } from "./http-client.ts";
import type { PeerLimits, PeerLog } from "./options.ts";
import type { PeerIdentity, PeerReceiver } from "./peer-network.ts";

/** The member at home: what every part of the way to the others needs of it. */
export interface Home {
  /** Who it is. */
  readonly identity: PeerIdentity;
  /** The version it tells the others. */
  readonly serverVersion: string;
  /** Where messages and calls go. */
  readonly receiver: PeerReceiver;
  /** Tells the receiver that this member was removed, once, however many say so. */
  onRemoved(): void;
  /** How it reaches out. */
  readonly http: HttpClient;
  /** Its bounds. */
  readonly limits: PeerLimits;
  /** Time. */
  readonly clock: Clock;
  /** Timers. */
  readonly scheduler: Scheduler;
  /** Randomness. */
  readonly random: Random;
  /** Where it logs changes. */
  readonly log: PeerLog;
  /** Where it logs what keeps going wrong. */
  readonly faults: CauseLog;
}
