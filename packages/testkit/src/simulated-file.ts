import type { Random } from "@conclave/base";
import { SparseBytes } from "./sparse-bytes.ts";

/** A disk writes a sector as a whole or not at all. */
const sectorBytes = 512;

/**
 * What becomes of the changes that were not synced when the power fails.
 * - `"drop"`: none of them happened.
 * - `"keep"`: all of them happened.
 * - `"cut"`: they happened in order up to some moment; the write of that moment up to some sector.
 * - `"tear"`: of every write some sectors happened and others did not.
 */
export type Tear = "drop" | "keep" | "cut" | "tear";

type Change =
  | { readonly kind: "write"; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly length: number };

/** A file of the simulated disk: what programs see, what a power failure would leave, and the changes between. */
export class SimulatedFile {
  /** What reads see. */
  readonly content: SparseBytes;
  readonly #durable: SparseBytes;
  #unsynced: Change[] = [];

  constructor(content: SparseBytes = SparseBytes.empty()) {
    this.content = content;
    this.#durable = content.copy();
  }

  write(position: number, bytes: Uint8Array): void {
    this.content.write(position, bytes);
    this.#unsynced.push({ kind: "write", position, bytes: bytes.slice() });
  }

  truncate(length: number): void {
    this.content.truncate(length);
    this.#unsynced.push({ kind: "truncate", length });
  }

  /** How many changes a sync that starts now makes durable. */
  get unsyncedChanges(): number {
    return this.#unsynced.length;
  }

  /** Makes the first so many changes durable. */
  sync(changes: number): void {
    for (const change of this.#unsynced.splice(0, changes)) apply(this.#durable, change);
  }

  /**
   * What a failed sync does, as on Linux: the changes still show when the file is read, are taken for clean by later
   * syncs, and are gone after a power failure.
   */
  forgetUnsynced(): void {
    this.#unsynced = [];
  }

  /** The file as the power failure leaves it. */
  afterCrash(tear: Tear, random: Random): SimulatedFile {
    const content = this.#durable.copy();
    const survivors = tear === "drop" ? [] : tear === "cut" ? cutOff(this.#unsynced, random) : this.#unsynced;
    for (const change of survivors) {
      if (tear === "tear") applyInPart(content, change, random);
      else apply(content, change);
    }
    return new SimulatedFile(content);
  }
}

function apply(content: SparseBytes, change: Change): void {
  if (change.kind === "write") content.write(change.position, change.bytes);
  else content.truncate(change.length);
}

/** The changes up to some moment; a write of that moment up to a sector boundary. */
function cutOff(changes: readonly Change[], random: Random): Change[] {
  const whole = random.below(changes.length + 1);
  const survivors = changes.slice(0, whole);
  const last = changes[whole];
  if (last?.kind === "write") {
    const sectors = sectorsOf(last.position, last.bytes);
    for (const sector of sectors.slice(0, random.below(sectors.length + 1))) survivors.push(sector);
  }
  return survivors;
}

function applyInPart(content: SparseBytes, change: Change, random: Random): void {
  const parts = change.kind === "write" ? sectorsOf(change.position, change.bytes) : [change];
  for (const part of parts) if (random.below(2) === 0) apply(content, part);
}

/** A write as one write for each sector it touches. */
function sectorsOf(position: number, bytes: Uint8Array): Change[] {
  const parts: Change[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Math.min(sectorBytes - ((position + at) % sectorBytes), bytes.length - at);
    parts.push({ kind: "write", position: position + at, bytes: bytes.subarray(at, at + length) });
    at += length;
  }
  return parts;
}
