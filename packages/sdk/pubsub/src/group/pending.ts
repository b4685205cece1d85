/** @module What is stored of a message that was handed to a member of a group and is not done yet. */
import type { KeyValue } from "@conclave/client";
import { z } from "zod";
import { sortable } from "../topic-keys.ts";

/** What the key of a message in hand holds. */
export interface PendingRecord {
  /** The member that has it; empty if it was given back. */
  readonly owner: string;
  /** How often it was handed out. */
  readonly deliveries: number;
  /**
   * How long others leave it alone, in milliseconds. Each measures it by its own monotonic clock from when it sees the
   * record, so that no two clocks have to agree.
   */
  readonly waitMs: number;
}

/** A message in hand. */
export interface Pending extends PendingRecord {
  /** Its key in the group. */
  readonly key: string;
  /** The position of the message. */
  readonly position: number;
  /** Its id. */
  readonly id: string;
  /** The revision of the record: what a change of it is guarded with. */
  readonly modRevision: number;
}

const recordSchema = z.object({ owner: z.string(), deliveries: z.number(), waitMs: z.number() });

/** The value of a record. */
export function formatRecord({ owner, deliveries, waitMs }: PendingRecord): string {
  return JSON.stringify({ owner, deliveries, waitMs });
}

/** Where a message in hand is noted: sorted by arrival. */
export function pendingKey(pending: string, { position, id }: Pick<Pending, "position" | "id">): string {
  return `${pending}${sortable(position)}/${id}`;
}

/** Reads a record; one that was damaged counts as given back. */
export function parsePending({ keyString, valueString, modRevision }: KeyValue, pending: string): Pending {
  const [position = "", id = ""] = keyString.slice(pending.length).split("/");
  return { key: keyString, position: Number(position), id, modRevision, ...parseRecord(valueString) };
}

function parseRecord(text: string): PendingRecord {
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    // The message is not lost: whoever sees it takes it.
    return { owner: "", deliveries: 1, waitMs: 0 };
  }
}
