/** Wakes one waiter. What is notified while nobody waits is not lost, and counts once. */
export class Signal {
  #notified = false;
  #resolve: (() => void) | undefined;

  /** Wakes who waits, or lets the next wait end at once. */
  notify(): void {
    this.#notified = true;
    this.#resolve?.();
  }

  /** Waits until there was a notification since the last wait ended. */
  async wait(): Promise<void> {
    if (!this.#notified)
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
    this.#notified = false;
    this.#resolve = undefined;
  }
}
