/** @module How a user asks for a watch, and what is handed out. */
import * as z from "zod";
import type { CallOptions } from "../calls/call-scope.ts";
import type { ConclaveError } from "../conclave-error.ts";
import type { EventSource } from "../isolated-emitter.ts";
import { callFields, count } from "../validate.ts";
import type { WatchBatch, WatchEvent } from "./watch-batch.ts";
import type { WatchCursor } from "./watch-cursor.ts";

/** How to watch. */
export interface WatchOptions {
  /**
   * Where to begin. `"now"`: with what happens after the watch stands (see {@link Watcher.ready}). A number: with
   * that revision (0: now); to go on after a batch, its `revision + 1`. `"snapshot"`: with a `resync` batch that holds
   * what is there, then with what happens to it. A {@link Watcher.position}: behind what was told there; of another range
   * it is refused, and in another cluster the watch ends with `CLUSTER_ID_MISMATCH` before it tells anything.
   * Default: `"now"`.
   */
  readonly from?: "now" | "snapshot" | number | WatchCursor | undefined;
  /**
   * What to do when the history that is needed has been compacted. `"error"`: end with `COMPACTED`. `"resync"`:
   * read what is there, tell the difference to what was told before as a `resync` batch, and go on; costs a
   * revision per key of memory. Default: `"resync"` if `from` is `"snapshot"`, else `"error"`.
   */
  readonly onCompaction?: "error" | "resync" | undefined;
  /** Tell what each key was before; default: false. */
  readonly prevKv?: boolean | undefined;
  /** Tell only puts, or only deletions; default: both. */
  readonly only?: "put" | "delete" | undefined;
  /** Deliver `progress` batches too; default: false. */
  readonly progress?: boolean | undefined;
  /**
   * How many events may wait for the consumer, at least 1; default: 8 192. One revision is never cut, so one
   * that has more may exceed it.
   */
  readonly bufferEvents?: number | undefined;
  /**
   * What to do when that many wait. `"backpressure"`: stop the watch on the member and go on from the cursor when
   * half has been consumed; other watches are not slowed. `"coalesce"`: make one batch of those that wait, with the
   * newest event of each key (see {@link EventsBatch.coalescedFrom}); where that does not halve what waits, hold back
   * as `"backpressure"` does. `"fail"`: end with `SLOW_CONSUMER` after what waits. Default: `"backpressure"`.
   */
  readonly overflow?: "backpressure" | "coalesce" | "fail" | undefined;
  /** Ends the watch with `ABORTED`. Default: none. */
  readonly signal?: AbortSignal | undefined;
}

/** The events of a watch. Handlers of `batch`, `put` and `delete` consume it, in place of an iteration. */
export type WatchEvents = {
  /** A batch, whole. */
  batch: [batch: WatchBatch];
  /** One put of a batch. */
  put: [event: WatchEvent, batch: WatchBatch];
  /** One deletion of a batch. */
  delete: [event: WatchEvent, batch: WatchBatch];
  /** The watch stands on a member: at first, and after every reconnection. */
  connected: [];
  /** The stream is gone; the watch goes on from its cursor when there is another. */
  disconnected: [error: ConclaveError];
  /** The watch has ended: closed if there is no error. */
  end: [error: ConclaveError | undefined];
};

/**
 * A watch. Consume it by iterating (once), or by handlers of its events; not both. Leaving the iteration closes
 * it.
 *
 * @example
 * ```ts
 * for await (const batch of client.watch(prefix("app/"), { from: "snapshot" }))
 *   for (const event of batch.events) console.log(event.type, event.kv.keyString);
 * ```
 */
export interface Watcher extends AsyncIterable<WatchBatch, undefined>, EventSource<WatchEvents>, AsyncDisposable {
  /** The last revision that was handed to the consumer whole; undefined before there is one. */
  readonly cursor: number | undefined;
  /**
   * The same as text that can be stored and given to `from` of a watch of the same range, by another process too;
   * undefined before there is one.
   */
  readonly position: WatchCursor | undefined;
  /** How many events wait for the consumer. */
  readonly bufferedEvents: number;
  /**
   * Resolves when the watch stands for the first time, with the revision after which everything is told.
   *
   * @throws the error the watch ended with
   */
  ready(options?: CallOptions): Promise<number>;
  /** Resolves when the watch has ended: with the error, or with undefined if it was closed. Never rejects. */
  readonly ended: Promise<ConclaveError | undefined>;
  /** Ends the watch; what waits is dropped. */
  close(): void;
}

/** How many events wait for a consumer by default. */
export const bufferEventsDefault = 8_192;

/** The shape of {@link WatchOptions}. */
export const watchSchema: z.ZodType = z.strictObject({
  signal: callFields.signal,
  from: z.union([z.enum(["now", "snapshot"]), count, z.string().startsWith("conclave-cursor:")]).optional(),
  onCompaction: z.enum(["error", "resync"]).optional(),
  prevKv: z.boolean().optional(),
  only: z.enum(["put", "delete"]).optional(),
  progress: z.boolean().optional(),
  bufferEvents: z.number().int().min(1).optional(),
  overflow: z.enum(["backpressure", "coalesce", "fail"]).optional(),
});
