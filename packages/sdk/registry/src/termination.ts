/**
 * @module Leaving in order when the process is asked to end. While there is somebody to take leave, the signal does not
 * end the process; when all have left it is sent again, so that the process ends by it as it would have.
 */
import process from "node:process";

const signal = "SIGTERM";

/** Those of one registry that leave when the process is asked to end. */
export class Termination {
  readonly #leavers = new Set<() => Promise<unknown>>();
  readonly #onSignal = (): void => void this.#leave();

  /**
   * Adds one.
   *
   * @param leave - takes leave; what it throws is lost with the process
   * @returns takes it back
   */
  add(leave: () => Promise<unknown>): () => void {
    if (this.#leavers.size === 0) process.on(signal, this.#onSignal);
    this.#leavers.add(leave);
    return () => this.#remove(leave);
  }

  #remove(leave: () => Promise<unknown>): void {
    if (this.#leavers.delete(leave) && this.#leavers.size === 0) process.off(signal, this.#onSignal);
  }

  async #leave(): Promise<void> {
    const leavers = [...this.#leavers];
    await Promise.allSettled(leavers.map((leave) => leave()));
    for (const leave of leavers) this.#remove(leave);
    // Somebody else listens: whether the process ends, and when, is up to them.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  }
}
