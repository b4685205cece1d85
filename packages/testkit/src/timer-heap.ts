/** A timer that waits in a {@link TimerHeap}. */
export interface WaitingTimer {
  /** When it comes due. */
  readonly dueMs: number;
  /** Its place among those that come due at the same time: the order of their start. */
  readonly order: number;
  /** What it does then; undefined once it was cancelled. */
  task: (() => void) | undefined;
}

function isBefore(left: WaitingTimer, right: WaitingTimer): boolean {
  return left.dueMs < right.dueMs || (left.dueMs === right.dueMs && left.order < right.order);
}

/**
 * Waiting timers, the next one first: a binary heap. A cancelled timer stays until it would be the next, so that
 * cancelling, the fate of most timers, costs nothing.
 */
export class TimerHeap {
  readonly #heap: WaitingTimer[] = [];
  #started = 0;
  #waiting = 0;

  /** How many timers wait, without those that were cancelled. */
  get size(): number {
    return this.#waiting;
  }

  /** Adds a timer. */
  add(dueMs: number, task: () => void): WaitingTimer {
    const timer: WaitingTimer = { dueMs, order: this.#started++, task };
    this.#waiting++;
    this.#heap.push(timer);
    this.#rise(timer);
    return timer;
  }

  /** Cancels a timer; does nothing if it was taken or cancelled. */
  cancel(timer: WaitingTimer): void {
    if (timer.task === undefined) return;
    timer.task = undefined;
    this.#waiting--;
  }

  /** How many timers were ever added: the next one's {@link WaitingTimer.order}. */
  get started(): number {
    return this.#started;
  }

  /** The next timer; undefined if none waits. */
  get next(): WaitingTimer | undefined {
    while (this.#heap[0] !== undefined && this.#heap[0].task === undefined) this.#removeFirst();
    return this.#heap[0];
  }

  /** Removes the next timer and runs its task. Does nothing if none waits. */
  fireNext(): void {
    const timer = this.next;
    if (timer?.task === undefined) return;
    const { task } = timer;
    this.cancel(timer);
    this.#removeFirst();
    task();
  }

  #rise(timer: WaitingTimer): void {
    const heap = this.#heap;
    let at = heap.length - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as WaitingTimer;
      if (!isBefore(timer, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = timer;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as WaitingTimer)) child++;
      const smaller = heap[child] as WaitingTimer;
      if (!isBefore(smaller, last)) break;
      heap[at] = smaller;
      at = child;
    }
    heap[at] = last;
  }
}
