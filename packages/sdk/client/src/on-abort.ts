/**
 * Says when a call or a piece of work is not wanted any more: what is used of an `AbortSignal`, for calls that are too many
 * for one each, as making one takes longer than encoding a call and decoding its answer.
 */
export interface EndSignal {
  /** Whether it is not wanted any more. */
  readonly aborted: boolean;
  /**
   * Runs a callback once when it is not wanted any more, or never if that is so already.
   *
   * @returns takes the callback back
   */
  onAbort(callback: () => void): () => void;
}

/** Callbacks that wait for one end. */
export class EndCallbacks {
  readonly #entries = new Set<() => void>();

  /** @returns takes the callback back */
  add(callback: () => void): () => void {
    // A wrapper, so that the same function given twice is two callbacks.
    const entry = () => callback();
    this.#entries.add(entry);
    return () => {
      this.#entries.delete(entry);
    };
  }

  /** Runs them, in order. */
  run(): void {
    for (const entry of [...this.#entries]) entry();
  }
}

const callbacksOf = new WeakMap<AbortSignal, EndCallbacks>();

/**
 * Runs a callback once when a signal aborts, or never if it has aborted already. However many callbacks wait,
 * the signal gets one listener: a program may give one signal to a thousand calls without a warning from Node.
 *
 * @returns takes the callback back
 */
export function onAbort(signal: AbortSignal | EndSignal, callback: () => void): () => void {
  if ("onAbort" in signal) return signal.onAbort(callback);
  const known = callbacksOf.get(signal);
  const callbacks = known ?? new EndCallbacks();
  if (known === undefined) {
    callbacksOf.set(signal, callbacks);
    const run = () => {
      callbacksOf.delete(signal);
      callbacks.run();
    };
    signal.addEventListener("abort", run, { once: true });
  }
  return callbacks.add(callback);
}
