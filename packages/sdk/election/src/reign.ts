import { type CallOptions, ConclaveError, isConclaveError, onAbort, prefix, sleep } from "@conclave/client";
import { notePrefix, readStanding } from "./candidate.ts";
import { assertSuccessor, chooseSuccessor } from "./handover.ts";
import type { LeaderTerm, LeadParts } from "./leader-term.ts";
import type { HeldLeadership } from "./leadership.ts";

const drainMsDefault = 30_000;

/** One leadership, from the election to its end. */
export class Reign {
  readonly #parts: LeadParts;
  readonly #leadership: HeldLeadership;
  readonly #signal: AbortSignal;
  readonly #stopping = new AbortController();
  #successor: string | undefined;

  constructor(parts: LeadParts, leadership: HeldLeadership, signal: AbortSignal) {
    this.#parts = parts;
    this.#leadership = leadership;
    this.#signal = signal;
  }

  /** @returns whether there is nothing more to lead for. @throws what the task throws by itself */
  async run(): Promise<boolean> {
    const { name, reports } = this.#parts;
    const leadership = this.#leadership;
    void leadership.ended.then((reason) => reports.ended(reason, leadership));
    using _patience = this.#limitDrain();
    using _following = this.#follow();
    reports.elected(leadership);
    const watching = this.#watchForBetter();
    try {
      const isDone = await this.#runTask();
      this.#stop(new ConclaveError("CLOSED", `The task of "${name}" has ended`));
      await this.#conclude();
      return isDone || this.#signal.aborted;
    } finally {
      this.#stop(new ConclaveError("CLOSED", `Leadership of "${name}" has ended`));
      await watching;
      // The lease runs out by itself.
      await leadership.resign().catch(() => {});
    }
  }

  /** @returns whether the task ended by itself while this candidate led */
  async #runTask(): Promise<boolean> {
    const { task, reports, options } = this.#parts;
    const { signal } = this.#stopping;
    // Better not begun than stopped at once; a look that fails is made again by the watch.
    if (options.yieldsToPriority) await this.#yieldToBetter().catch(() => {});
    if (signal.aborted) return false;
    try {
      await task(this.#term());
      return !signal.aborted && this.#leadership.held;
    } catch (error) {
      if (!signal.aborted && this.#leadership.held) throw error;
      // What a task throws because it was told to end is no failure of the task.
      if (!isOfAbort(error, signal)) reports.taskFailed(error);
      return false;
    }
  }

  /** Drains and hands over, as far as leadership is still held. */
  async #conclude(): Promise<void> {
    const { options, reports } = this.#parts;
    if (!this.#leadership.held) return;
    try {
      await options.drain?.(this.#term());
    } catch (error) {
      reports.taskFailed(error);
    }
    if (!this.#leadership.held) return;
    try {
      const handover = await this.#leadership.pass({ to: this.#successor });
      if (handover.successor !== undefined) reports.handedOver(handover);
    } catch (error) {
      // Leadership has ended all the same: its lease is revoked or runs out.
      reports.taskFailed(error);
    }
  }

  #term(): LeaderTerm {
    const leadership = this.#leadership;
    const { signal } = this.#stopping;
    const ended = new Promise<ConclaveError>((resolve) => {
      if (signal.aborted) resolve(signal.reason as ConclaveError);
      else onAbort(signal, () => resolve(signal.reason as ConclaveError));
    });
    return {
      ...{ key: leadership.key, fence: leadership.fence, lease: leadership.lease, guard: leadership.guard },
      ...{ signal, ended },
      get held() {
        return leadership.held;
      },
      get remainingMs() {
        return leadership.remainingMs;
      },
      assertHeld: () => leadership.assertHeld(),
      txn: (ops, options) => leadership.txn(ops, options),
      proclaim: (value, options) => leadership.proclaim(value, options),
      handOver: (options) => this.#requestHandover(options),
    };
  }

  async #requestHandover({ to, ...options }: CallOptions & { readonly to?: string | undefined } = {}): Promise<void> {
    const { client, name } = this.#parts;
    this.#leadership.assertHeld();
    const { candidates } = await readStanding(client, name, options);
    assertSuccessor(
      name,
      candidates.filter(({ key }) => key !== this.#leadership.key),
      to,
    );
    this.#handOverTo(to);
  }

  #handOverTo(id: string | undefined): void {
    this.#successor = id;
    this.#stop(new ConclaveError("CLOSED", `Leadership of "${this.#parts.name}" is to be handed over`));
  }

  /** Follows the notes on candidates for one of higher priority, while leading. Never rejects. */
  async #watchForBetter(): Promise<void> {
    const { client, name, options } = this.#parts;
    if (!options.yieldsToPriority) return;
    const { signal } = this.#stopping;
    try {
      await using watcher = client.watch(prefix(notePrefix(name)), { from: "snapshot", signal });
      for await (const _batch of watcher) await this.#yieldToBetter();
    } catch (error) {
      if (!signal.aborted) this.#parts.reports.taskFailed(error);
    }
  }

  async #yieldToBetter(): Promise<void> {
    const { client, name, options } = this.#parts;
    const { candidates } = await readStanding(client, name, { signal: this.#stopping.signal });
    const best = chooseSuccessor(candidates.filter(({ key }) => key !== this.#leadership.key));
    if (best !== undefined && best.priority > (options.priority ?? 0)) this.#handOverTo(best.id);
  }

  /** Tells the task to end when leadership does, or when the caller wants it. */
  #follow(): Disposable {
    const { name } = this.#parts;
    const [lost, told] = [this.#leadership.signal, this.#signal];
    const onLost = () => this.#stop(lost.reason as ConclaveError);
    const onTold = () =>
      this.#stop(new ConclaveError("ABORTED", `Leading "${name}" was aborted`, { cause: told.reason }));
    if (lost.aborted) onLost();
    if (told.aborted) onTold();
    const offs = [onAbort(lost, onLost), onAbort(told, onTold)];
    return {
      [Symbol.dispose]: () => {
        for (const off of offs) off();
      },
    };
  }

  /** Gives leadership up if the task and the drain have not ended in time after they were told to. */
  #limitDrain(): Disposable {
    const { client, options } = this.#parts;
    const over = new AbortController();
    const limit = async () => {
      const isLate = await sleep(client.ports.scheduler, options.drainMs ?? drainMsDefault, over.signal);
      // The lease runs out by itself.
      if (isLate) await this.#leadership.resign().catch(() => {});
    };
    const off = onAbort(this.#stopping.signal, () => void limit());
    return {
      [Symbol.dispose]() {
        off();
        over.abort();
      },
    };
  }

  #stop(reason: ConclaveError): void {
    if (!this.#stopping.signal.aborted) this.#stopping.abort(reason);
  }
}

/** Whether an error says only that a signal has aborted. */
function isOfAbort(error: unknown, { reason }: AbortSignal): boolean {
  if (error === reason || isConclaveError(error, "ABORTED")) return true;
  return error instanceof Error && (error.name === "AbortError" || error.cause === reason);
}
