/** @module When the last known set is saved: some time after a change, one write at a time. */
import { type ClientView, ConclaveError, isConclaveError } from "@conclave/client";
import { type KeptSet, readKeptSet, writeKeptSet } from "./last-known-good.ts";

/** Changes within this time are saved together. */
const saveDelayMs = 1_000;

/** The file of one live set. */
export class KeptFile {
  readonly #path: string;
  readonly #ports: ClientView["ports"];
  readonly #source: () => KeptSet;
  readonly #onError: (error: ConclaveError) => void;
  readonly #unique: string;
  #isDirty = false;
  #timer: { cancel(): void } | undefined;
  #writing: Promise<void> = Promise.resolve();

  /**
   * @param path - the file
   * @param made - what is saved, the ports of the client, and who hears of failures
   */
  constructor(
    path: string,
    made: {
      readonly source: () => KeptSet;
      readonly ports: ClientView["ports"];
      readonly onError: (error: ConclaveError) => void;
    },
  ) {
    this.#path = path;
    this.#ports = made.ports;
    this.#source = made.source;
    this.#onError = made.onError;
    this.#unique = `${process.pid}-${made.ports.random.below(2 ** 32).toString(36)}`;
  }

  /** What was saved before; undefined if there is nothing, or nothing that can be read. */
  async load(of: string): Promise<KeptSet | undefined> {
    try {
      return await readKeptSet(this.#path, of);
    } catch (error) {
      this.#tell(error);
      return undefined;
    }
  }

  /** Saves soon. */
  touch(): void {
    this.#isDirty = true;
    this.#timer ??= this.#ports.scheduler.after(saveDelayMs, () => void this.flush(), { background: true });
  }

  /** Saves now what has not been saved yet. */
  flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    const set = this.#source();
    // A set of nobody helps nobody who starts: what was good before stays.
    if (!this.#isDirty || set.instances.length === 0) return;
    this.#isDirty = false;
    try {
      await writeKeptSet(this.#path, set, this.#unique);
    } catch (error) {
      this.#tell(error);
    }
  }

  #tell(error: unknown): void {
    this.#onError(isConclaveError(error) ? error : new ConclaveError("INTERNAL", String(error), { cause: error }));
  }
}
