import type { CallOptions, Codec, StandardSchema } from "@conclave/client";
import type { ConfigVersion } from "./config-version.ts";
import type { Difference } from "./document/diff.ts";
import type { GrayReleases } from "./document/gray-releases.ts";
import type { PublicationNotes } from "./document/history.ts";
import type { Draft, PublicationReason } from "./document/publication.ts";
import type { LiveConfig, LiveOptions } from "./live/live-config.ts";
import type { RunningVersion } from "./live/running.ts";

/** How a configuration is made. */
export interface ConfigOptions<Value> {
  /** Checks what is published and what is read. Any schema that follows Standard Schema, such as zod's. */
  readonly schema: StandardSchema<Value>;
  /**
   * Between what JSON can say and the bytes in the store, in the history and in last-known-good files: for secrets, one
   * that encrypts. Default: JSON as text.
   */
  readonly codec?: Codec<unknown> | undefined;
  /** How many publications are kept, from 2 to 1 000. Default: 20. */
  readonly historyCount?: number | undefined;
  /** Most bytes of a value, up to 480 KiB. Default: 256 KiB. */
  readonly maxBytes?: number | undefined;
}

/** What a draft must be published over. */
export interface DraftOptions {
  /** Publish only if the configuration is still that of this revision; 0: only if there is none. Default: always. */
  readonly ifRevision?: number | undefined;
}

/** How to publish. */
export interface PublishOptions extends CallOptions, PublicationReason, DraftOptions {}

/** How to go back to an earlier value. */
export interface RollbackOptions extends CallOptions, PublicationReason {
  /** The revision that published the value to go back to. Default: the valid value before the one in force. */
  readonly toRevision?: number | undefined;
}

/** How much of the history to read. */
export interface HistoryOptions extends CallOptions {
  /** Most values to return; default 10. */
  readonly limit?: number | undefined;
}

/** Which values to compare. */
export interface DiffOptions extends CallOptions {
  /** The revision that published the earlier one; default: the one before the later. */
  readonly from?: number | undefined;
  /** The revision that published the later one; default: the one in force. */
  readonly to?: number | undefined;
}

/** What is different between two publications. */
export interface ConfigDiff {
  /** The revision of the earlier one. */
  readonly from: number;
  /** The revision of the later one. */
  readonly to: number;
  /** What is different, before the schema's defaults. */
  readonly differences: readonly Difference[];
}

/** A value that was in force, and what is known of its publication. */
export interface PublishedVersion<Value> extends ConfigVersion<Value> {
  /** Who published it, when and why; undefined if something else than this package wrote it. */
  readonly notes: PublicationNotes | undefined;
}

/** How much a configuration takes, and how much it may. */
export interface ConfigUsage {
  /** Bytes of the value in force; 0 if there is none. */
  readonly bytes: number;
  /** Most bytes of a value. */
  readonly maxBytes: number;
  /** Publications that are kept. */
  readonly publications: number;
  /** Most publications that are kept. */
  readonly historyCount: number;
  /** Bytes of all their values. */
  readonly historyBytes: number;
}

/** A typed configuration under one key. */
export interface Config<Value> {
  /** Its key. */
  readonly key: string;
  /**
   * The value in force; undefined if none was published. Gray releases are not looked at: they are for
   * {@link Config.live} instances.
   *
   * @throws ConclaveError `DATA_LOSS` if what is stored is refused by the schema
   */
  get(options?: CallOptions): Promise<ConfigVersion<Value> | undefined>;
  /**
   * Puts a value into force. If its answer is lost, the outcome is found out.
   *
   * @throws ConclaveError `INVALID_ARGUMENT` if the schema refuses it, with the place of each flaw;
   * `FAILED_PRECONDITION` if {@link DraftOptions.ifRevision} is not the one in force; `REQUEST_TOO_LARGE`
   */
  publish(value: Value, options?: PublishOptions): Promise<ConfigVersion<Value>>;
  /** A value for {@link publishRelease}, which publishes several together. It is checked there. */
  draft(value: Value, options?: DraftOptions): Draft<Value>;
  /**
   * Publishes an earlier value again, unless something else was published meanwhile.
   *
   * @throws ConclaveError `NOT_FOUND` if there is no such value among those that are kept; `FAILED_PRECONDITION`
   * if something was published meanwhile
   */
  rollback(options?: RollbackOptions): Promise<ConfigVersion<Value>>;
  /** Follows the value. */
  live(options?: LiveOptions): Promise<LiveConfig<Value>>;
  /** The valid values up to the one in force, newest first, as far as they are kept. */
  history(options?: HistoryOptions): Promise<readonly PublishedVersion<Value>[]>;
  /** What is different between two publications. @throws ConclaveError `NOT_FOUND` if one is not kept */
  diff(options?: DiffOptions): Promise<ConfigDiff>;
  /** Values that some instances get for a time. */
  readonly gray: GrayReleases<Value>;
  /** What the instances run that acknowledge it, by their ids. */
  running(options?: CallOptions): Promise<readonly RunningVersion[]>;
  /** How much it takes, and how much it may. */
  usage(options?: CallOptions): Promise<ConfigUsage>;
}
