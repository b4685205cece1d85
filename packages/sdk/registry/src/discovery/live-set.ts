/** @module A live set as its users see it. */
import type { CallOptions, ConclaveError, EventSource } from "@conclave/client";
import type { Instance, InstanceMetadata } from "../instance.ts";
import type { InstanceChange, Protection } from "./service-view.ts";

/** What a live set tells. */
export type LiveSetEvents<Metadata = InstanceMetadata> = {
  /** The set has changed: all changes of one revision together. */
  change: [changes: readonly InstanceChange<Metadata>[], set: LiveSet<Metadata>];
  /** Others than before are held, or nobody is any more; see {@link LiveSet.held}. */
  held: [instances: readonly Instance<Metadata>[]];
  /** The set is fed again, or is no longer; see {@link LiveSet.state}. */
  state: [state: LiveSetState];
  /** A key of the services holds no instance; it is left out of the set. */
  invalid: [key: string];
  /** The last known set could not be read or written: `DATA_LOSS`. The live set goes on without. */
  fileError: [error: ConclaveError];
  /** The set is no longer fed; with the error, unless it was closed. */
  end: [error: ConclaveError | undefined];
};

/** Whether a set is fed: `stale` ones show what was last known. */
export type LiveSetState = "live" | "stale";

/** Which instances to list. */
export interface InstanceFilter {
  /** Only those of this service; default: of all services of the set. */
  readonly service?: string | undefined;
  /** Whether instances that are about to leave are listed too; default: false. */
  readonly draining?: boolean | undefined;
  /** Whether instances that say that they cannot work are listed too; default: false. */
  readonly critical?: boolean | undefined;
}

/**
 * The instances of services, kept up to date by one watch without gaps. Iterating gives the set whenever it has
 * changed; a slow consumer sees the latest set, not every step to it.
 */
export interface LiveSet<Metadata = InstanceMetadata>
  extends EventSource<LiveSetEvents<Metadata>>,
    AsyncIterable<readonly Instance<Metadata>[]>,
    AsyncDisposable {
  /** The revision the set is of. */
  readonly revision: number;
  /** Whether it is fed now. */
  readonly state: LiveSetState;
  /** Those that are listed though the store no longer has them, as too many vanished too fast to have crashed. */
  readonly held: readonly Instance<Metadata>[];
  /** The instances now, ordered by service and id: the same array as before if nothing has changed. */
  instances(filter?: InstanceFilter): readonly Instance<Metadata>[];
  /** Ends the watch. */
  close(): void;
}

/** How to follow services. */
export interface DiscoverOptions extends CallOptions {
  /**
   * When instances are held that vanish from the store without having said that they leave; `false` holds nobody.
   * Default: when all of a service, or more than half of it within 15 s, vanish, for 60 s after each did.
   */
  readonly protection?: Partial<Protection> | false | undefined;
  /**
   * A file that keeps the last known set, for a start while the store is out of reach. One file for one set; processes may
   * share it. Default: none.
   */
  readonly file?: string | undefined;
  /**
   * How long to wait for the store before the set begins with what the file has, in milliseconds, `timeoutMs` at most;
   * without a file, or if it has nothing, `timeoutMs` is the limit. Default: 2 000.
   */
  readonly coldStartMs?: number | undefined;
}
