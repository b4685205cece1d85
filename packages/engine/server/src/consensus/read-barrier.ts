import { invariant, type Scheduler } from "@conclave/base";
import { WireError } from "@conclave/protocol";

/** What a barrier needs of its surroundings. */
export interface ReadBarrierOptions {
  /** Decides when a turn of the event loop is over. */
  readonly scheduler: Scheduler;
  /** Asks raft for a read index; the answer comes through {@link ReadBarrier.onReadState} with this context. */
  readonly requestReadIndex: (context: Uint8Array) => void;
  /** A number that no other request of the cluster has: the leader answers followers by it. */
  readonly newRequestId: () => bigint;
}

interface Waiter {
  readonly deadlineMs: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

interface Round {
  readonly id: bigint;
  readonly waiters: readonly Waiter[];
  /** The index to be applied before the waiters may read; undefined until raft has answered. */
  index: number | undefined;
}

function contextOf(round: Round): Uint8Array {
  const context = new Uint8Array(8);
  new DataView(context.buffer).setBigUint64(0, round.id);
  return context;
}

function isAbout(round: Round, context: Uint8Array): boolean {
  if (context.length !== 8) return false;
  return new DataView(context.buffer, context.byteOffset, 8).getBigUint64(0) === round.id;
}

/**
 * Holds linearizable reads back until the state they may see is applied: every reader of one turn of the event loop
 * shares one ReadIndex round (Raft thesis §6.4), and one round is under way at a time.
 */
export class ReadBarrier {
  readonly #options: ReadBarrierOptions;
  #gathering: Waiter[] = [];
  #asked: Round | undefined;
  #scheduled = false;
  /** Rounds that raft has answered and that wait for apply, by ascending index. */
  #answered: Round[] = [];
  #applied: number;
  /** The round that was under way at the last look. */
  #unanswered: Round | undefined;
  /** How often a round was found unanswered since the last look, and how many rounds were given up. */
  readonly stats = { slow: 0, failed: 0 };

  /** @param applied - index of the last applied entry */
  constructor(options: ReadBarrierOptions, applied: number) {
    this.#options = options;
    this.#applied = applied;
  }

  /**
   * Resolves when a read of the local state is linearizable.
   *
   * @param deadlineMs - monotonic time at which to give up
   * @throws WireError `Timeout` after the deadline, `LeaderChanged` when another leader was elected meanwhile, or the
   * error given to {@link abandon}
   */
  wait(deadlineMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#gathering.push({ deadlineMs, resolve, reject });
      this.#scheduleRound();
    });
  }

  /** Takes raft's answer: what was committed at `index` may be read once it is applied. */
  onReadState(context: Uint8Array, index: number): void {
    const round = this.#asked;
    if (round === undefined || !isAbout(round, context)) return;
    this.#asked = undefined;
    round.index = index;
    this.#answered.push(round);
    this.#release();
    this.#scheduleRound();
  }

  /** Takes note that everything up to `index` has been applied. */
  onApplied(index: number): void {
    invariant(index >= this.#applied, "the applied index never falls", this.#applied, index);
    this.#applied = index;
    this.#release();
  }

  /** Asks again for the round that is under way: question or answer may have been lost. */
  askAgain(): void {
    if (this.#asked === undefined) return;
    if (this.#asked === this.#unanswered) this.stats.slow++;
    this.#unanswered = this.#asked;
    this.#options.requestReadIndex(contextOf(this.#asked));
  }

  /** Ends the round that the former leader was asked for: who waits gets `LeaderChanged` and may ask again at once. */
  onLeaderChange(): void {
    const round = this.#asked;
    this.#asked = undefined;
    for (const waiter of round?.waiters ?? []) waiter.reject(new WireError("LeaderChanged"));
    this.#scheduleRound();
  }

  /** Gives up on reads whose deadline has passed, and on a round that raft has left unanswered for too long. */
  expire(nowMs: number): void {
    const late = (waiter: Waiter): boolean => waiter.deadlineMs <= nowMs;
    const rounds = [...(this.#asked === undefined ? [] : [this.#asked]), ...this.#answered];
    for (const round of rounds)
      for (const waiter of round.waiters) if (late(waiter)) waiter.reject(new WireError("Timeout"));
    for (const waiter of this.#gathering) if (late(waiter)) waiter.reject(new WireError("Timeout"));
    this.#gathering = this.#gathering.filter((waiter) => !late(waiter));
    if (this.#asked?.waiters.every(late)) {
      this.stats.failed++;
      this.#asked = undefined;
      this.#scheduleRound();
    }
  }

  /** Ends every wait with this error. */
  abandon(error: Error): void {
    const rounds = [...(this.#asked === undefined ? [] : [this.#asked]), ...this.#answered];
    for (const waiter of [...rounds.flatMap((round) => round.waiters), ...this.#gathering]) waiter.reject(error);
    this.#gathering = [];
    this.#answered = [];
    this.#asked = undefined;
  }

  #scheduleRound(): void {
    if (this.#scheduled || this.#asked !== undefined || this.#gathering.length === 0) return;
    this.#scheduled = true;
    this.#options.scheduler.atTurnEnd(() => {
      this.#scheduled = false;
      this.#startRound();
    });
  }

  #startRound(): void {
    if (this.#asked !== undefined || this.#gathering.length === 0) return;
    this.#asked = { id: this.#options.newRequestId(), waiters: this.#gathering, index: undefined };
    this.#gathering = [];
    this.#options.requestReadIndex(contextOf(this.#asked));
  }

  #release(): void {
    for (let round = this.#answered[0]; round !== undefined; round = this.#answered[0]) {
      if (round.index === undefined || round.index > this.#applied) return;
      this.#answered.shift();
      for (const waiter of round.waiters) waiter.resolve();
    }
  }
}
