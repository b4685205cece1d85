/** When an operation was called and when it returned, as points of one order. */
export interface Interval {
  readonly call: number;
  readonly return: number;
}

/**
 * The calls and returns of operations in their order, from which operations can be taken out and put back in constant
 * time: a doubly linked list in arrays. Point 0 is the begin of the list and stands for nothing.
 */
export class PendingPoints {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** Of each point: its operation, its time, and the return if it is a call, else 0. */
  readonly #operations: Int32Array;
  readonly #times: Float64Array;
  readonly #returns: Int32Array;
  /** A bit for each operation that is taken out. */
  readonly #removed: Uint16Array;
  readonly #removedOrder: number[] = [];

  /** @param intervals - in the order of their calls; no two points at the same time */
  constructor(intervals: readonly Interval[]) {
    const points = intervals
      .flatMap(({ call, return: returned }, operation) => [
        { time: call, operation, isCall: true },
        { time: returned, operation, isCall: false },
      ])
      .sort((left, right) => left.time - right.time);
    const size = points.length + 1;
    this.#next = Int32Array.from({ length: size }, (_, at) => (at + 1) % size);
    this.#previous = Int32Array.from({ length: size }, (_, at) => (at + size - 1) % size);
    this.#operations = Int32Array.from([-1, ...points.map(({ operation }) => operation)]);
    this.#times = Float64Array.from([-1, ...points.map(({ time }) => time)]);
    this.#returns = new Int32Array(size);
    this.#removed = new Uint16Array((intervals.length >> 4) + 1);
    const callOf = new Int32Array(intervals.length);
    for (const [at, { operation, isCall }] of points.entries()) {
      if (isCall) callOf[operation] = at + 1;
      else this.#returns[callOf[operation] ?? 0] = at + 1;
    }
  }

  get isEmpty(): boolean {
    return this.#next[0] === 0;
  }

  /** The operation of a point. */
  operationAt(point: number): number {
    return this.#operations[point] ?? -1;
  }

  /** The calls that come before every return, and the time of the first return; there must be one. */
  untilFirstReturn(): { readonly calls: readonly number[]; readonly firstReturn: number } {
    const calls: number[] = [];
    let point = this.#next[0] ?? 0;
    for (; this.#returns[point] !== 0; point = this.#next[point] ?? 0) calls.push(point);
    return { calls, firstReturn: this.#times[point] ?? -1 };
  }

  /** Takes the operation with this call out. */
  remove(call: number): void {
    this.#unlink(call);
    this.#unlink(this.#returns[call] ?? 0);
    const operation = this.operationAt(call);
    this.#removed[operation >> 4] = (this.#removed[operation >> 4] ?? 0) | (1 << (operation & 15));
    this.#removedOrder.push(Math.max(operation, this.#removedOrder.at(-1) ?? -1));
  }

  /** Puts the operation with this call back: always the one that was taken out last. */
  restore(call: number): void {
    this.#link(this.#returns[call] ?? 0);
    this.#link(call);
    const operation = this.operationAt(call);
    this.#removed[operation >> 4] = (this.#removed[operation >> 4] ?? 0) & ~(1 << (operation & 15));
    this.#removedOrder.pop();
  }

  /**
   * A short string that stands for the set of operations taken out: the first that is left, before which all are out,
   * and the bits from there to the last one that is out.
   */
  removedKey(): string {
    const first = this.isEmpty ? this.#operations.length : this.operationAt(this.#next[0] ?? 0);
    const last = this.#removedOrder.at(-1) ?? -1;
    if (last < first) return `${first}`;
    return `${first}:${String.fromCharCode(...this.#removed.subarray(first >> 4, (last >> 4) + 1))}`;
  }

  #unlink(point: number): void {
    const next = this.#next[point] ?? 0;
    const previous = this.#previous[point] ?? 0;
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  #link(point: number): void {
    this.#next[this.#previous[point] ?? 0] = point;
    this.#previous[this.#next[point] ?? 0] = point;
  }
}
