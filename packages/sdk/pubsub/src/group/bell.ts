/** Wakes those who wait for something to change. */
export class Bell {
  #ring: () => void = () => {};
  #rung: Promise<void> = this.#arm();

  /** Resolves when it rings next. Ask before looking at what may change: then no change is missed. */
  next(): Promise<void> {
    return this.#rung;
  }

  /** Wakes everybody who waits. */
  ring(): void {
    const ring = this.#ring;
    this.#rung = this.#arm();
    ring();
  }

  #arm(): Promise<void> {
    return new Promise((resolve) => {
      this.#ring = resolve;
    });
  }
}
