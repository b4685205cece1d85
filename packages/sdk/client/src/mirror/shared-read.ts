import type { CallScope } from "../calls/call-scope.ts";

/**
 * A read that callers share. Only one that begins after a caller asked may answer it; so while one is under way, all
 * who come wait for the next, which is one for all of them.
 */
export class SharedRead<Result> {
  readonly #read: () => Promise<Result>;
  #running: Promise<Result> | undefined;
  #next: Promise<Result> | undefined;

  /** @param read - asks the cluster */
  constructor(read: () => Promise<Result>) {
    this.#read = read;
  }

  /**
   * What a read answers that begins now or later.
   *
   * @param scope - ends the wait, not the read
   */
  async read(scope: CallScope): Promise<Result> {
    const answer = this.#running === undefined ? this.#start() : this.#afterRunning(this.#running);
    return await scope.wait(answer, "a read of a mirror");
  }

  #start(): Promise<Result> {
    const running = this.#read().finally(() => {
      this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  #afterRunning(running: Promise<Result>): Promise<Result> {
    const start = () => {
      this.#next = undefined;
      return this.#start();
    };
    this.#next ??= running.then(start, start);
    return this.#next;
  }
}
