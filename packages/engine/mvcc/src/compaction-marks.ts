/** @module What the "meta" bucket notes of compactions: one mark before a pass, one after it. */
import { type Backend, utf8 } from "@conclave/base";
import { revisionKey, revisionMain } from "./revision.ts";

const scheduledKey = utf8("scheduledCompactRev");
const finishedKey = utf8("finishedCompactRev");

/** Revisions of the last compactions; -1 for none. */
export interface CompactionMarks {
  /** The one that was asked for last. */
  readonly scheduled: number;
  /** The one whose pass came to its end last. */
  readonly finished: number;
}

/** Reads the marks. */
export function readCompactionMarks(backend: Backend): CompactionMarks {
  return { scheduled: readMark(backend, scheduledKey), finished: readMark(backend, finishedKey) };
}

/** The compact revision that a backend notes; -1 if there is none. */
export function notedCompactRevision(backend: Backend): number {
  const { scheduled, finished } = readCompactionMarks(backend);
  return Math.max(scheduled, finished);
}

/** Sets one of the marks. */
export function writeCompactionMark(backend: Backend, mark: keyof CompactionMarks, revision: number): void {
  backend.put("meta", mark === "scheduled" ? scheduledKey : finishedKey, revisionKey(revision, 0));
}

function readMark(backend: Backend, key: Uint8Array): number {
  const mark = backend.get("meta", key);
  return mark === undefined ? -1 : revisionMain(mark);
}
