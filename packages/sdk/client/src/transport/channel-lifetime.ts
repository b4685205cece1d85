/** Closes a channel once it is neither wanted nor used any more: closing it ends the calls that are under way. */
export class ChannelLifetime {
  readonly #close: () => void;
  #uses = 0;
  #retired = false;

  /** @param close - closes the channel; called once */
  constructor(close: () => void) {
    this.#close = close;
  }

  /**
   * Begins a use.
   *
   * @returns what ends it; calling that again does nothing
   */
  use(): () => void {
    let over = false;
    this.#uses++;
    return () => {
      if (over) return;
      over = true;
      this.#uses--;
      this.#closeIfIdle();
    };
  }

  /** Says that no use is begun any more. */
  retire(): void {
    this.#retired = true;
    this.#closeIfIdle();
  }

  #closeIfIdle(): void {
    if (this.#retired && this.#uses === 0) this.#close();
  }
}
