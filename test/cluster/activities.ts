/** @module What goes on at a member while something long is done to it, and what of it was served meanwhile. */

/** Kinds of work by name. Each is done until the end, one after the other, and must not fail. */
type Work = Readonly<Record<string, () => Promise<void>>>;

const isPhase = (turns: number): boolean => turns % 2 === 1;

/** What is done. */
export interface ActivityKinds {
  /** Short work: some of each must begin and end within a phase, and so be served while it lasts. */
  readonly within: Work;
  /** Long work: some of each must be under way when a phase begins or ends, and come to its end all the same. */
  readonly across: Work;
}

/**
 * Work that is done over and over, so that something of each kind is in flight at every moment, and phases in which
 * something else goes on. Only the order of beginnings and ends counts: nothing is said of how fast.
 */
export class Activities implements AsyncDisposable {
  readonly #waiting = new Set<string>();
  readonly #loops: Promise<void>[] = [];
  /** How often a phase has begun or ended: odd while one lasts. */
  #turns = 0;
  #isStopped = false;

  constructor({ within, across }: ActivityKinds) {
    for (const [name, once] of Object.entries(within))
      this.#keep(name, once, (began, ended) => began === ended && isPhase(began));
    for (const [name, once] of Object.entries(across)) this.#keep(name, once, (began, ended) => began !== ended);
  }

  /** From now on something is under way. */
  beginPhase(): void {
    if (!isPhase(this.#turns)) this.#turns++;
  }

  /** It has ended. */
  endPhase(): void {
    if (isPhase(this.#turns)) this.#turns++;
  }

  /** The kinds of work of which no phase has seen any yet. */
  get waiting(): readonly string[] {
    return [...this.#waiting];
  }

  /** Ends all work. @throws what any of it has thrown */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await Promise.allSettled(this.#loops);
  }

  #keep(name: string, once: () => Promise<void>, counts: (began: number, ended: number) => boolean): void {
    this.#waiting.add(name);
    const repeat = async (): Promise<void> => {
      while (!this.#isStopped) {
        const began = this.#turns;
        await once();
        if (counts(began, this.#turns)) this.#waiting.delete(name);
      }
    };
    const loop = repeat();
    loop.catch(() => undefined); // Told by `stop`.
    this.#loops.push(loop);
  }
}
