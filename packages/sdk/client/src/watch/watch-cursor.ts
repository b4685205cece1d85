/** @module Places in the history of a range, as text that outlives the process. */
import { equalBytes } from "@conclave/base";
import { ConclaveError } from "../conclave-error.ts";
import type { KeyRange } from "../kv/key-range.ts";

/** Where a watch is in the history of its range, as text to be stored as it is. Good for that range of that cluster only. */
export type WatchCursor = `conclave-cursor:${string}`;

/** What a cursor says. */
export interface WatchPlace {
  /** The cluster whose history it is. */
  readonly clusterId: bigint;
  /** The range as the store has it, whatever namespace it was watched in. */
  readonly range: KeyRange;
  /** The last revision that was told. */
  readonly revision: number;
}

const form = /^conclave-cursor:1:(?<cluster>[0-9a-f]{1,16}):(?<key>[\w-]*):(?<end>[\w-]*):(?<revision>\d{1,16})$/;

/** The text of a place. */
export function formatCursor({ clusterId, range, revision }: WatchPlace): WatchCursor {
  const [key, end] = [range.key, range.rangeEnd].map((bytes) => Buffer.from(bytes).toString("base64url"));
  return `conclave-cursor:1:${clusterId.toString(16)}:${key}:${end}:${revision}`;
}

/**
 * The place in a text.
 *
 * @throws ConclaveError `INVALID_ARGUMENT` if there is none
 */
export function parseCursor(text: string): WatchPlace {
  const { cluster, key, end, revision } = form.exec(text)?.groups ?? {};
  if (cluster === undefined || key === undefined || end === undefined || !Number.isSafeInteger(Number(revision)))
    throw new ConclaveError(
      "INVALID_ARGUMENT",
      `Cannot watch from what is no cursor: received ${JSON.stringify(text)}`,
    );
  const [keyBytes, rangeEnd] = [key, end].map((part) => new Uint8Array(Buffer.from(part, "base64url")));
  const range = { key: keyBytes ?? new Uint8Array(), rangeEnd: rangeEnd ?? new Uint8Array() };
  return { clusterId: BigInt(`0x${cluster}`), range, revision: Number(revision) };
}

/**
 * The place in a text, of this range.
 *
 * @throws ConclaveError `INVALID_ARGUMENT` if there is none, or it is one of another range
 */
export function parseCursorOf(range: KeyRange, text: string): WatchPlace {
  const place = parseCursor(text);
  if (equalBytes(place.range.key, range.key) && equalBytes(place.range.rangeEnd, range.rangeEnd)) return place;
  throw new ConclaveError("INVALID_ARGUMENT", `Cannot watch a range from a cursor of another one: received ${text}`);
}

/** The error of a watch that has met another cluster than that of its cursor. */
export function foreignCluster(expected: bigint, found: bigint): ConclaveError {
  const message = `The cursor is of cluster ${expected.toString(16)}, but this is cluster ${found.toString(16)}`;
  return new ConclaveError("CLUSTER_ID_MISMATCH", message);
}
