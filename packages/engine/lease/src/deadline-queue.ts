/**
 * @module Which of many things fall due, and when: a binary heap whose elements know their place.
 *
 * Renewals move a deadline later far more often than a deadline passes, so a move to a later time touches the heap
 * only when the old time has come: `queuedMs`, the time the heap is ordered by, is then caught up with `dueMs`.
 * Always `queuedMs <= dueMs` while queued, so nothing falls due unseen. Removal is immediate: a deadline far in the
 * future leaves nothing behind.
 */
import { invariant } from "@conclave/base";

const notQueued = -1;

/** A moment at which something of an owner falls due; made by {@link createDeadline}, changed only by its queue. */
export interface Deadline<Owner> {
  readonly owner: Owner;
  dueMs: number;
  queuedMs: number;
  position: number;
}

/** A deadline that no queue holds yet. */
export function createDeadline<Owner>(owner: Owner): Deadline<Owner> {
  return { owner, dueMs: Number.POSITIVE_INFINITY, queuedMs: Number.POSITIVE_INFINITY, position: notQueued };
}

/** Deadlines, the earliest first. */
export class DeadlineQueue<Owner> {
  readonly #heap: Deadline<Owner>[] = [];

  /** How many deadlines are set. */
  get size(): number {
    return this.#heap.length;
  }

  /** Sets or moves a deadline: O(1) to a later time, O(log n) otherwise. */
  set(deadline: Deadline<Owner>, dueMs: number): void {
    deadline.dueMs = dueMs;
    if (deadline.position === notQueued) {
      deadline.queuedMs = dueMs;
      deadline.position = this.#heap.push(deadline) - 1;
      this.#siftUp(deadline);
    } else if (dueMs < deadline.queuedMs) {
      deadline.queuedMs = dueMs;
      this.#siftUp(deadline);
    }
  }

  /** Takes a deadline out; nothing happens if it is not set. */
  remove(deadline: Deadline<Owner>): void {
    const hole = deadline.position;
    if (hole === notQueued) return;
    invariant(this.#heap[hole] === deadline, "a deadline is where it says", hole);
    deadline.position = notQueued;
    const last = this.#heap.pop();
    if (last === undefined || last === deadline) return;
    this.#place(last, hole);
    this.#siftUp(last);
    this.#siftDown(last);
  }

  /** Takes out the deadlines at or before a moment, the earliest first, and gives their owners. */
  takeDue(nowMs: number, limit: number): Owner[] {
    const due: Owner[] = [];
    while (due.length < limit) {
      const first = this.#heap[0];
      if (first === undefined || first.queuedMs > nowMs) break;
      if (first.queuedMs < first.dueMs) {
        first.queuedMs = first.dueMs;
        this.#siftDown(first);
      } else {
        this.remove(first);
        due.push(first.owner);
      }
    }
    return due;
  }

  /** Takes every deadline out. */
  clear(): void {
    for (const deadline of this.#heap) deadline.position = notQueued;
    this.#heap.length = 0;
  }

  #place(deadline: Deadline<Owner>, position: number): void {
    this.#heap[position] = deadline;
    deadline.position = position;
  }

  #siftUp(deadline: Deadline<Owner>): void {
    let position = deadline.position;
    while (position > 0) {
      const parentPosition = (position - 1) >> 1;
      const parent = this.#heap[parentPosition];
      if (parent === undefined || parent.queuedMs <= deadline.queuedMs) break;
      this.#place(parent, position);
      position = parentPosition;
    }
    this.#place(deadline, position);
  }

  #siftDown(deadline: Deadline<Owner>): void {
    let position = deadline.position;
    for (;;) {
      const left = this.#heap[2 * position + 1];
      const right = this.#heap[2 * position + 2];
      const child = right !== undefined && left !== undefined && right.queuedMs < left.queuedMs ? right : left;
      if (child === undefined || child.queuedMs >= deadline.queuedMs) break;
      const childPosition = child.position;
      this.#place(child, position);
      position = childPosition;
    }
    this.#place(deadline, position);
  }
}
