import type { Clock, Scheduler, Timer } from "@conclave/base";
import { ConclaveError } from "../conclave-error.ts";
import { EndCallbacks, type EndSignal, onAbort } from "../on-abort.ts";

/** What every asynchronous call takes. */
export interface CallOptions {
  /** Ends the call: it rejects with `ABORTED`, whose `cause` is the signal's reason. Default: none. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long the call may take with all its tries, in milliseconds; `Infinity` for no limit. Default: the
   * client's `timeoutMs`, except for calls that are meant to wait.
   */
  readonly timeoutMs?: number | undefined;
}

/** Why a scope ended before its work was done. */
export type ScopeEnd = "aborted" | "timeout" | "closed";

/** What a scope needs of the client. */
export interface ScopePorts {
  /** Tells the time left. */
  readonly clock: Clock;
  /** Runs the timeout. */
  readonly scheduler: Scheduler;
  /** Aborts when the client, or what the call is made for, is closed. */
  readonly closed: AbortSignal | EndSignal;
}

/** The time and the signals that bound one call. Dispose of it when the call is over. */
export class CallScope implements EndSignal, Disposable {
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #callerSignal: AbortSignal | undefined;
  readonly #timer: Timer | undefined;
  readonly #unlisten: (() => void)[] = [];
  readonly #callbacks = new EndCallbacks();
  #controller: AbortController | undefined;
  #end: ScopeEnd | undefined;

  /**
   * @param ports - the client's clock, timers and end
   * @param options - the caller's signal and patience
   */
  constructor(ports: ScopePorts, options: { readonly signal?: AbortSignal | undefined; readonly timeoutMs: number }) {
    this.#clock = ports.clock;
    this.#deadlineMs = ports.clock.monotonicMs() + options.timeoutMs;
    this.#callerSignal = options.signal;
    this.#follow(options.signal, "aborted");
    this.#follow(ports.closed, "closed");
    if (this.#end === undefined && options.timeoutMs !== Number.POSITIVE_INFINITY)
      this.#timer = ports.scheduler.after(Math.max(0, options.timeoutMs), () => this.#finish("timeout"));
  }

  /** Aborts when the scope ends. Made when it is first asked for. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.aborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  /** Whether the scope has ended. */
  get aborted(): boolean {
    return this.#end !== undefined;
  }

  onAbort(callback: () => void): () => void {
    return this.#callbacks.add(callback);
  }

  /** Why the scope has ended, or undefined. */
  get end(): ScopeEnd | undefined {
    return this.#end;
  }

  /** Milliseconds until the timeout, at least 0; `Infinity` if there is none. */
  get remainingMs(): number {
    return Math.max(0, this.#deadlineMs - this.#clock.monotonicMs());
  }

  /** The error to throw now that the scope has ended. */
  error(what: string): ConclaveError {
    if (this.#end === "closed") return new ConclaveError("CLOSED", `Cannot finish ${what} as it was closed`);
    if (this.#end === "timeout") return new ConclaveError("TIMEOUT", `${what} timed out`, { retryable: true });
    return abortedError(what, this.#callerSignal);
  }

  /** Throws {@link CallScope.error} if the scope has ended. */
  throwIfEnded(what: string): void {
    if (this.#end !== undefined) throw this.error(what);
  }

  /** Waits for work that others wait for too and that goes on without this scope, until it is done or the scope ends. */
  wait<T>(work: Promise<T>, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      work.then(resolve, reject);
      if (this.aborted) reject(this.error(what));
      else this.onAbort(() => reject(this.error(what)));
    });
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    for (const unlisten of this.#unlisten) unlisten();
  }

  #follow(signal: AbortSignal | EndSignal | undefined, end: ScopeEnd): void {
    if (signal === undefined) return;
    if (signal.aborted) this.#finish(end);
    else this.#unlisten.push(onAbort(signal, () => this.#finish(end)));
  }

  #finish(end: ScopeEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#callbacks.run();
    this.#controller?.abort();
  }
}

/** The error of a call that its caller aborted. */
export function abortedError(what: string, signal: AbortSignal | undefined): ConclaveError {
  return new ConclaveError("ABORTED", `${what} was aborted`, { cause: signal?.reason });
}

/** Resolves after a delay; true, or false at once when the signal aborts. */
export function sleep(scheduler: Scheduler, delayMs: number, signal: AbortSignal | EndSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const timer = scheduler.after(delayMs, () => {
      unlisten();
      resolve(true);
    });
    const unlisten = onAbort(signal, () => {
      timer.cancel();
      resolve(false);
    });
  });
}
