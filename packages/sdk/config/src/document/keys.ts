/**
 * @module Where a document is kept, and what belongs to it. The value stands alone under the document's key, as
 * anybody would put it there; what the package keeps beside it is marked with a `!`:
 *
 * ```
 * config/limits                             the value
 * config/limits!gray                        the value of some instances, while a gray release lasts
 * config/limits!history/0000000000000007    the seventh publication
 * config/limits!running/orders-1            what this instance runs, bound to its lease
 * ```
 *
 * The value and the gray one are next to each other, so that one watch sees both, each revision whole.
 */
import { between, ConclaveError, type KeyRange, prefix } from "@conclave/client";
import { z } from "zod";

/** What is between the key of a document and what belongs to it. */
const mark = "!";
const sequenceDigits = 16;

const keySchema = z
  .string()
  .min(1, "must not be empty")
  .refine((key) => !key.includes(mark), `must not contain "${mark}", which marks what belongs to a document`);

/** @throws ConclaveError `INVALID_ARGUMENT` if this cannot be the key of a document */
export function checkKey(key: string): string {
  const checked = keySchema.safeParse(key);
  if (checked.success) return key;
  throw new ConclaveError("INVALID_ARGUMENT", `Invalid configuration: the key ${checked.error.issues[0]?.message}`);
}

/** Whether this is the key of a value, not of what belongs to one. */
export function isDocumentKey(key: string): boolean {
  return !key.includes(mark);
}

/** Where the gray value of a document is. */
export function grayKey(key: string): string {
  return `${key}${mark}gray`;
}

/** The value of a document and its gray value, and nothing else of it. */
export function valueRange(key: string): KeyRange {
  return between(key, `${key}${mark}h`);
}

/** Where a publication of a document is kept; later ones have greater numbers. */
export function publicationKey(key: string, sequence: number): string {
  return `${historyStart(key)}${String(sequence).padStart(sequenceDigits, "0")}`;
}

/** The number in the key of a publication. */
export function sequenceOf(publication: string): number {
  return Number(publication.slice(-sequenceDigits));
}

/** Every publication of a document that is kept. */
export function historyRange(key: string): KeyRange {
  return prefix(historyStart(key));
}

/** The publications before one. */
export function historyBefore(key: string, sequence: number): KeyRange {
  return between(historyStart(key), publicationKey(key, sequence));
}

/** Where an instance says what it runs. */
export function runningKey(key: string, instance: string): string {
  return `${key}${mark}running/${instance}`;
}

/** What all instances run. */
export function runningRange(key: string): KeyRange {
  return prefix(runningKey(key, ""));
}

function historyStart(key: string): string {
  return `${key}${mark}history/`;
}
