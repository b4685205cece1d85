/**
 * @module The publications of a document. Each is kept beside the document in the transaction that published it, so
 * that they outlive the compaction of the store's own history; the oldest go with the same transaction.
 */
import { type CallOptions, type ClientView, type KeyValue, op } from "@conclave/client";
import { z } from "zod";
import { historyBefore, historyRange, sequenceOf } from "./keys.ts";
import { decodeRecord } from "./record.ts";
import { type StoredValue, storedValue } from "./stored-value.ts";

/** What is known of a publication. */
export interface PublicationNotes {
  /** The release it belongs to: the same of all documents published together. */
  readonly release: string;
  /** When it was published, in milliseconds since 1970 by the clock of who did. */
  readonly atMs: number;
  /** Who published it, if they said so. */
  readonly by: string | undefined;
  /** Why, if they said so. */
  readonly note: string | undefined;
  /** The revision whose value it brought back, if it is a rollback. */
  readonly rollbackTo: number | undefined;
}

/** A publication as it is stored. */
export interface StoredPublication extends StoredValue {
  /** What is known of it; undefined if something else than this package wrote the value. */
  readonly notes: PublicationNotes | undefined;
}

const notesSchema = z.object({
  release: z.string(),
  atMs: z.number(),
  by: z.string().optional(),
  note: z.string().optional(),
  rollbackTo: z.number().optional(),
});
/** What is kept of a value that something else wrote: there is no more to know than when it came into force. */
const foundSchema = z.object({ revision: z.number().int().positive() });
/** Records are up to 480 KiB each. */
const pageSize = 8;

/** The document and its newest record, at one revision. */
export interface DocumentState {
  /** The document; undefined if there is none. */
  readonly current: KeyValue | undefined;
  /** The record of its last publication, without the value. */
  readonly last: KeyValue | undefined;
}

/** Reads a document and which publication was its last. */
export async function readState(client: ClientView, key: string, options: CallOptions): Promise<DocumentState> {
  const newest = op.range(historyRange(key), { limit: 1, order: "descending", keysOnly: true });
  const result = await client.txn().then(op.get(key), newest).commit(options);
  const [current, records] = result.succeeded ? result.responses : [undefined, undefined];
  return { current, last: records?.kvs[0] };
}

/** The value in force, if it came from something else than this package: then no record of it is kept yet. */
export function unrecorded({ current, last }: DocumentState): StoredValue | undefined {
  return current?.modRevision === last?.modRevision ? undefined : storedValue(current);
}

/** The value in force and those before it, newest first. */
export async function* readPublications(
  client: ClientView,
  key: string,
  options: () => CallOptions,
): AsyncGenerator<StoredPublication> {
  const state = await readState(client, key, options());
  const found = unrecorded(state);
  if (found !== undefined) yield { ...found, notes: undefined };
  let range = historyRange(key);
  for (;;) {
    const { kvs, more } = await client.range(range, { ...options(), limit: pageSize, order: "descending" });
    yield* kvs.flatMap(toPublication);
    const oldest = kvs.at(-1);
    if (oldest === undefined || !more) return;
    range = historyBefore(key, sequenceOf(oldest.keyString));
  }
}

function toPublication(record: KeyValue): StoredPublication[] {
  const { about, value } = decodeRecord(record.value);
  const found = foundSchema.safeParse(about);
  if (found.success) return [{ revision: found.data.revision, bytes: value, notes: undefined }];
  const notes = parseNotes(about);
  return notes === undefined ? [] : [{ revision: record.modRevision, bytes: value, notes }];
}

/** What is known of a publication; undefined if this is no record of one. */
export function parseNotes(about: unknown): PublicationNotes | undefined {
  const { success, data } = notesSchema.safeParse(about);
  if (!success) return undefined;
  const { release, atMs, by, note, rollbackTo } = data;
  return { release, atMs, by, note, rollbackTo };
}
