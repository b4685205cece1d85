import { onAbort } from "./on-abort.ts";

/**
 * A signal that aborts with the first of several, or by itself, and lets go of them when it is disposed of. For work that is
 * done again and again under a signal that lives long: `AbortSignal.any` leaves something on it each time.
 */
export class LinkedSignal implements Disposable {
  readonly #controller = new AbortController();
  readonly #unlisten: readonly (() => void)[];

  /** @param signals - those to follow; undefined ones never abort */
  constructor(...signals: readonly (AbortSignal | undefined)[]) {
    const given = signals.filter((signal) => signal !== undefined);
    for (const { aborted, reason } of given) if (aborted) this.#controller.abort(reason);
    this.#unlisten = given.map((signal) => onAbort(signal, () => this.#controller.abort(signal.reason)));
  }

  /** Aborts, with the reason of the signal that did. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Aborts it by itself. */
  abort(reason?: unknown): void {
    this.#controller.abort(reason);
  }

  /** Follows the signals no longer. It does not abort by this. */
  [Symbol.dispose](): void {
    for (const unlisten of this.#unlisten) unlisten();
  }
}
