import type { Backend, Scheduler, Timer } from "@conclave/base";

/** What the flusher works with. */
export interface StoreFlusherOptions {
  readonly backend: Backend;
  readonly scheduler: Scheduler;
  /** Longest time that applied state stays unpersisted, in milliseconds. */
  readonly intervalMs: number;
  /** Buffered operations at which a commit starts at once. */
  readonly operationLimit: number;
  /** Called right before each commit, to write the applied index beside its effects. Returns that index. */
  readonly beforeCommit: () => number;
  /** Told once when a commit failed; the store must not be used any more. */
  readonly onFailure: (error: unknown) => void;
}

/** Bytes of unpersisted writes at which apply has to wait for the disk. */
const overlayBytesMax = 256 * 1024 * 1024;
/** Operations at which apply has to wait, as a multiple of the commit limit. */
const overlayOperationsFactor = 20;

/**
 * Persists applied state off the hot path, in batches. What is lost by a crash is replayed from the log, so nothing
 * waits for a commit except the release of log segments and, when the overlay has grown too large, apply itself.
 */
export class StoreFlusher {
  readonly #options: StoreFlusherOptions;
  #timer: Timer | undefined;
  #committing: Promise<void> | undefined;
  #flushedIndex: number;
  #failed = false;

  /** @param flushedIndex - index of the last entry the store holds */
  constructor(options: StoreFlusherOptions, flushedIndex: number) {
    this.#options = options;
    this.#flushedIndex = flushedIndex;
  }

  /** Index of the last entry whose effects are durable in the store. */
  get flushedIndex(): number {
    return this.#flushedIndex;
  }

  /**
   * To be called after entries were applied.
   *
   * @returns a promise to wait for before applying more, when too much is unpersisted
   */
  afterApply(): Promise<void> | undefined {
    const { backend, operationLimit } = this.#options;
    const { operations, bytes } = backend.pending;
    if (bytes >= overlayBytesMax || operations >= operationLimit * overlayOperationsFactor) return this.flush();
    if (operations >= operationLimit && this.#committing === undefined) void this.flush();
    else
      this.#timer ??= this.#options.scheduler.after(this.#options.intervalMs, () => void this.flush(), {
        background: true,
      });
    return undefined;
  }

  /** Persists everything applied so far; resolves when it is durable. A failure is reported through the port only. */
  async flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    // One that fails has told so by itself.
    await this.#committing?.catch(() => {});
    // Another caller may have started a commit while this one waited; that one holds everything this one wants.
    this.#committing ??= this.#commit();
    await this.#committing;
  }

  /**
   * Runs a task during which nothing is persisted, once what is under way has ended.
   *
   * @param task - replaces the store; resolves to the index of the last entry it then holds durably
   */
  async exclusively(task: () => Promise<number>): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    while (this.#committing !== undefined) await this.#committing;
    this.#committing = task()
      .then((index) => {
        this.#flushedIndex = index;
      })
      .finally(() => {
        this.#committing = undefined;
      });
    await this.#committing;
  }

  async #commit(): Promise<void> {
    if (this.#failed) return;
    try {
      const index = this.#options.beforeCommit();
      await this.#options.backend.commit();
      this.#flushedIndex = index;
    } catch (error) {
      this.#failed = true;
      this.#options.onFailure(error);
    } finally {
      this.#committing = undefined;
    }
  }
}
