import type { CallOptions, ConclaveError, EventSource } from "@conclave/client";
import type { InstanceIdentity } from "../document/gray.ts";
import type { EffectiveVersion } from "./composition.ts";

/** How a configuration is followed. */
export interface LiveOptions extends CallOptions {
  /** Which process this is, for gray releases and {@link LiveOptions.acknowledge}. Default: none in particular. */
  readonly instance?: InstanceIdentity | undefined;
  /**
   * How long to wait after a publication whether another one follows, in milliseconds, before the last of them comes
   * into force; ten times that long at most. Default: 0.
   */
  readonly debounceMs?: number | undefined;
  /** A file that keeps what was last in force, for a start while the cluster is away. Default: none. */
  readonly lastKnownGood?: LastKnownGoodOptions | undefined;
  /** Whether to say what this instance runs, for {@link Config.running}; needs an instance. Default: false. */
  readonly acknowledge?: boolean | AcknowledgeOptions | undefined;
}

/** The file with what was last in force. */
export interface LastKnownGoodOptions {
  /** Where it is; its directory must be there. */
  readonly path: string;
  /** How long a start waits for the cluster before it takes the file, in milliseconds. Default: 3 000. */
  readonly waitMs?: number | undefined;
}

/** How this instance says what it runs. */
export interface AcknowledgeOptions {
  /** After how many seconds without the process its entry goes. Default: 15. */
  readonly ttlSec?: number | undefined;
}

/**
 * Where the value comes from.
 *
 * - `following`: from the store, and changes are seen as they happen
 * - `interrupted`: from the store, and it may have changed since: no member can be reached
 * - `coldStart`: from the last-known-good file: the store has not been reached yet
 * - `ended`: closed, or it failed
 */
export type LiveStatus = "following" | "interrupted" | "coldStart" | "ended";

/** A change of what is in force. */
export interface ConfigChange<Value> extends EffectiveVersion<Value> {
  /** What was in force before; undefined if nothing was. */
  readonly previous: EffectiveVersion<Value> | undefined;
}

/** What a live configuration tells. */
export interface LiveConfigEvents<Value> {
  /** There is a new valid value, different from the one before. */
  readonly change: readonly [change: ConfigChange<Value>];
  /** What was published, or put together of several layers, may not come into force; the last good value stays. */
  readonly rejected: readonly [error: ConclaveError];
  /** The value comes from somewhere else now. */
  readonly status: readonly [status: LiveStatus];
  /** The last-known-good file could not be written; the next change tries again. */
  readonly fileFailed: readonly [error: ConclaveError];
  /** The value is no longer followed; with the error, unless it was closed. */
  readonly end: readonly [error: ConclaveError | undefined];
  readonly [name: string]: readonly unknown[];
}

/**
 * A configuration that follows what is published. Iterating gives the value in force and then each later one; a slow
 * consumer sees the latest, not every step to it.
 */
export interface LiveConfig<Value>
  extends EventSource<LiveConfigEvents<Value>>,
    AsyncIterable<EffectiveVersion<Value>>,
    AsyncDisposable {
  /** The value in force: the last good one; undefined before there is one. */
  readonly current: EffectiveVersion<Value> | undefined;
  /** Where it comes from. */
  readonly status: LiveStatus;
  /** Why what is in the store is not in force; undefined if it is. */
  readonly rejected: ConclaveError | undefined;
  /** Stops following. Disposal does so too, and waits until what it acknowledged is taken back. */
  close(): void;
}
