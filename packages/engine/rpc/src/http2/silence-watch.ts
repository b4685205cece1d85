import { systemScheduler, type Timer } from "@conclave/base";

/** When a silent client is asked whether it is still there. Times are in milliseconds; if one is 0, it never is. */
export interface SilenceOptions {
  /** Silence after which the client is pinged. */
  readonly keepAliveIntervalMs: number;
  /** Time the client has to answer. */
  readonly keepAliveTimeoutMs: number;
}

/** What is done about silence. */
export interface SilenceActions {
  /** Asks the client for a sign of life. */
  ask(): void;
  /** There was none. */
  onDead(): void;
}

/**
 * Has a client pinged that was silent for an interval, and given up if it stays so. It looks once an interval, so that
 * a request costs next to nothing.
 */
export class SilenceWatch {
  readonly #options: SilenceOptions;
  readonly #actions: SilenceActions;
  #wasHeard = false;
  #timer: Timer | undefined;

  constructor(options: SilenceOptions, actions: SilenceActions) {
    this.#options = options;
    this.#actions = actions;
    if (options.keepAliveIntervalMs > 0 && options.keepAliveTimeoutMs > 0) this.#lookLater();
  }

  /** Something arrived. */
  onHeard(): void {
    this.#wasHeard = true;
  }

  /** The connection is gone. */
  stop(): void {
    this.#timer?.cancel();
  }

  #lookLater(): void {
    this.#wasHeard = false;
    this.#wait(this.#options.keepAliveIntervalMs, () => this.#askForLife());
  }

  #askForLife(): void {
    this.#actions.ask();
    this.#wait(this.#options.keepAliveTimeoutMs, () => this.#actions.onDead());
  }

  #wait(delayMs: number, onSilence: () => void): void {
    const onTime = (): void => {
      if (this.#wasHeard) this.#lookLater();
      else onSilence();
    };
    this.#timer = systemScheduler.after(delayMs, onTime, { background: true });
  }
}
