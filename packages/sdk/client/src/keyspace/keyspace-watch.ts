/** @module What a watch of a typed keyspace tells. */
import type { CallOptions } from "../calls/call-scope.ts";
import type { ConclaveError } from "../conclave-error.ts";
import type { WatchBatch, WatchEvent } from "../watch/watch-batch.ts";
import type { WatchCursor } from "../watch/watch-cursor.ts";
import type { Watcher, WatchOptions } from "../watch/watch-options.ts";
import type { Entry, EntryDecoder } from "./entry.ts";

/** One change of one key. */
export type KeyspaceEvent<Key, Value> =
  | {
      /** The key was written. */
      readonly type: "put";
      /** What is there now. */
      readonly entry: Entry<Key, Value>;
    }
  | {
      /** The key was deleted, or went with its lease. */
      readonly type: "delete";
      /** The key. */
      readonly key: Key;
      /** When. */
      readonly modRevision: number;
    }
  | {
      /** Somebody wrote what the codecs refuse; the watch goes on. */
      readonly type: "invalid";
      /** The key, without the prefix of the space. */
      readonly rawKey: Uint8Array;
      /** `DATA_LOSS`, and why. */
      readonly error: ConclaveError;
      /** When. */
      readonly modRevision: number;
    };

/** What a watch of a typed keyspace tells at once: one revision, or a whole state. */
export interface KeyspaceBatch<Key, Value> {
  /** See {@link WatchBatch}: changes of one revision, a new state after a gap, or nothing up to a revision. */
  readonly kind: WatchBatch["kind"];
  /** The revision. To go on after this batch later, watch from `revision + 1`. */
  readonly revision: number;
  /** The changes. */
  readonly events: readonly KeyspaceEvent<Key, Value>[];
}

/** A watch of a typed keyspace. Leaving the iteration closes it. */
export interface KeyspaceWatcher<Key, Value> extends AsyncIterable<KeyspaceBatch<Key, Value>>, AsyncDisposable {
  /** The last revision that was handed to the consumer whole; undefined before there is one. */
  readonly cursor: number | undefined;
  /** See {@link Watcher.position}. */
  readonly position: WatchCursor | undefined;
  /** Resolves when the watch stands, with the revision after which everything is told. */
  ready(options?: CallOptions): Promise<number>;
  /** Resolves when the watch has ended: with the error, or with undefined if it was closed. Never rejects. */
  readonly ended: Promise<ConclaveError | undefined>;
  /** Ends the watch; what waits is dropped. */
  close(): void;
}

/** How to watch a typed keyspace: as any range. */
export interface KeyspaceWatchOptions<Key> extends WatchOptions {
  /** The one key to watch; default: all of the space. */
  readonly key?: Key | undefined;
}

/** Shows a watch with its keys and values decoded. */
export function decodeWatcher<Key, Value>(
  watcher: Watcher,
  decoder: EntryDecoder<Key, Value>,
): KeyspaceWatcher<Key, Value> {
  return {
    get cursor() {
      return watcher.cursor;
    },
    get position() {
      return watcher.position;
    },
    ended: watcher.ended,
    ready: (options) => watcher.ready(options),
    close: () => watcher.close(),
    [Symbol.asyncDispose]: () => watcher[Symbol.asyncDispose](),
    async *[Symbol.asyncIterator]() {
      for await (const { kind, revision, events } of watcher)
        yield { kind, revision, events: events.map((event) => decodeEvent(event, decoder)) };
    },
  };
}

function decodeEvent<Key, Value>(
  { type, kv }: WatchEvent,
  decoder: EntryDecoder<Key, Value>,
): KeyspaceEvent<Key, Value> {
  const { modRevision } = kv;
  const decoded = type === "put" ? decoder.entry(kv) : decoder.key(kv);
  if ("error" in decoded) return { type: "invalid", rawKey: kv.key, error: decoded.error, modRevision };
  return "entry" in decoded ? { type: "put", entry: decoded.entry } : { type: "delete", key: decoded.key, modRevision };
}
