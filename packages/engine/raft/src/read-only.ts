import { invariant } from "@conclave/base";

/** A read that someone wants to be linearizable. */
export interface ReadRequest {
  /** Who asked: a follower that is to be answered, or the leader itself. */
  readonly from: bigint;
  /** The name the asker gave to the read. */
  readonly context: Uint8Array;
}

/** A read that may be served once the state machine has applied `index`. */
export interface ReadyRead extends ReadRequest {
  /** The commit index when the read came. */
  readonly index: number;
}

interface PendingRead extends ReadyRead {
  /** The round of heartbeats whose answers confirm the read. */
  readonly round: number;
}

/**
 * The reads that wait for the leader to confirm that it still leads (thesis §6.4).
 *
 * Reads are confirmed by rounds of heartbeats. All that came since the last round share the next one, and a member's
 * answer to a round confirms every earlier round too: it still followed the leader when the later one began. So the
 * confirmed round is found exactly as the commit index is, as the highest that a quorum has reached.
 *
 *     read a, read b | round 1 → | read c | round 2 →  ← answers to round 2 by a quorum: a, b and c are confirmed
 */
export class ReadOnly {
  /** The last round that was begun. Never goes back, so that no answer is taken for a later round's. */
  #round = 0;
  /** In the order in which they came, hence by ascending round and index. */
  #pending: PendingRead[] = [];
  /** What waits for the leader's first commit of its term, before which it may not know what is committed. */
  #deferred: ReadRequest[] = [];
  /** The last round that a member answered. */
  readonly #answered = new Map<bigint, number>();

  /** How many reads wait. */
  get size(): number {
    return this.#pending.length + this.#deferred.length;
  }

  /** The last round, if reads wait for it and it should be repeated in case it was lost. */
  get openRound(): number | undefined {
    return this.#pending.length > 0 && this.#round > 0 ? this.#round : undefined;
  }

  /** Whether there are reads that no round covers yet. */
  get needsRound(): boolean {
    return (this.#pending.at(-1)?.round ?? 0) > this.#round;
  }

  /** Takes a read in; the next round will confirm it. */
  add(read: ReadyRead): void {
    const previous = this.#pending.at(-1)?.index ?? 0;
    invariant(read.index >= previous, "the commit index of reads goes forward", read.index, previous);
    this.#pending.push({ from: read.from, context: read.context, index: read.index, round: this.#round + 1 });
  }

  /** Keeps a read until the leader has committed an entry of its term. */
  defer(request: ReadRequest): void {
    this.#deferred.push(request);
  }

  /** Whether something was deferred. */
  get hasDeferred(): boolean {
    return this.#deferred.length > 0;
  }

  /** Takes out what was deferred. */
  takeDeferred(): readonly ReadRequest[] {
    const deferred = this.#deferred;
    this.#deferred = [];
    return deferred;
  }

  /** Begins a round. */
  startRound(): number {
    this.#round++;
    return this.#round;
  }

  /** Takes note that a member answered a round. */
  recordAnswer(from: bigint, round: number): void {
    if (round > this.#round) return;
    this.#answered.set(from, Math.max(round, this.#answered.get(from) ?? 0));
  }

  /** The last round that a member answered, 0 if none. */
  answeredRound(member: bigint): number {
    return this.#answered.get(member) ?? 0;
  }

  /** Takes out the reads of all rounds up to `round`, which a quorum has answered. */
  takeConfirmed(round: number): readonly ReadyRead[] {
    const firstOpen = this.#pending.findIndex((read) => read.round > round);
    return this.#pending.splice(0, firstOpen < 0 ? this.#pending.length : firstOpen);
  }

  /** Forgets all: the leader's term is over. */
  reset(): void {
    this.#pending = [];
    this.#deferred = [];
    this.#answered.clear();
  }
}

/** The name of a round as heartbeats carry it: 8 bytes, big-endian. */
export function encodeRound(round: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(round));
  return bytes;
}

/** The round a heartbeat's answer names, 0 if none. */
export function decodeRound(context: Uint8Array): number {
  if (context.length !== 8) return 0;
  return Number(new DataView(context.buffer, context.byteOffset, 8).getBigUint64(0));
}
