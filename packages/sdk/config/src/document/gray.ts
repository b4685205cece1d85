/**
 * @module Gray releases: a value for some instances of a document, for a time. It hangs on a lease that nobody renews, and
 * says when it ends: instances stop using it then by their own clocks, and the store drops it when the lease runs out.
 * So it ends with nobody alive, and with the cluster away.
 */
import { createHash } from "node:crypto";
import { asBuffer } from "@conclave/base";
import { z } from "zod";
import { decodeRecord } from "./record.ts";
import type { StoredValue } from "./stored-value.ts";

/** Which process a value is for. */
export interface InstanceIdentity {
  /** Its id: stable over restarts, or each start draws its luck with a gray release again. */
  readonly id: string;
  /** What gray releases can choose it by; default: nothing. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** Which instances a gray release is for: those with all the labels, and of these a part. */
export interface GraySelection {
  /** The part of the instances, in percent; fractions are allowed. */
  readonly percent: number;
  /** The labels an instance must have, each with its value or one of several. */
  readonly labels: Readonly<Record<string, string | readonly string[]>>;
}

/** What is known of a gray release. */
export interface GrayNotes extends GraySelection {
  /** Its id. */
  readonly release: string;
  /** When it began, in milliseconds since 1970 by the clock of who started it. */
  readonly atMs: number;
  /** When it ends, by the same clock. */
  readonly endsAtMs: number;
  /** What the place of an instance in the hundred is computed with. */
  readonly salt: string;
  /** Who started it, if they said so. */
  readonly by: string | undefined;
  /** Why, if they said so. */
  readonly note: string | undefined;
}

/** A gray release as it is stored. */
export interface StoredGray extends GrayNotes, StoredValue {}

/** The shape of {@link GraySelection.percent}. */
export const percentSchema: z.ZodNumber = z.number().min(0).max(100);
/** The shape of {@link GraySelection.labels}. */
export const labelsSchema: z.ZodType<GraySelection["labels"]> = z.record(
  z.string(),
  z.union([z.string(), z.array(z.string())]),
);

const notesSchema = z.object({
  release: z.string(),
  atMs: z.number(),
  endsAtMs: z.number(),
  percent: percentSchema,
  labels: labelsSchema,
  salt: z.string(),
  by: z.string().optional(),
  note: z.string().optional(),
});

/** The gray release in a key; undefined if it holds none. */
export function parseGray({ revision, bytes }: StoredValue): StoredGray | undefined {
  const record = decodeRecord(bytes);
  const { success, data } = notesSchema.safeParse(record.about);
  if (!success) return undefined;
  const { by, note, ...notes } = data;
  return { ...notes, by, note, revision, bytes: record.value };
}

/** Whether an instance is one of those that a gray release is for. Without an identity it is not. */
export function isChosen(gray: GraySelection & { readonly salt: string }, instance?: InstanceIdentity): boolean {
  if (instance === undefined) return false;
  const labels = instance.labels ?? {};
  const hasAll = Object.entries(gray.labels).every(([name, wanted]) => [wanted].flat().includes(labels[name] ?? ""));
  return hasAll && placeInHundred(gray.salt, instance.id) < gray.percent;
}

/**
 * Where an instance stands between 0 and 100: the first 32 bits of SHA-256 of `<salt>\n<id>`, as a part of 2^32, in
 * percent. The salt of a document stays the same, so that raising the percentage only adds instances.
 */
export function placeInHundred(salt: string, id: string): number {
  const digest = createHash("sha256").update(`${salt}\n${id}`).digest();
  return (asBuffer(digest).readUInt32BE(0) / 2 ** 32) * 100;
}
