/** @module Answers to serializable reads, kept for a short while. */
import { binaryString, compareBytes } from "@conclave/base";
import { RangeRequest, RangeResponse } from "@conclave/protocol/etcdserverpb";
import type { Caller } from "./caller.ts";

/** The bounds of a cache. */
export interface ReadCacheOptions {
  /** Answers at most. Default: 2 048. */
  readonly entriesMax?: number;
  /** Encoded bytes of answers at most. Default: 64 MiB. */
  readonly bytesMax?: number;
  /**
   * How long an answer is given at most, in milliseconds: a write that does not pass here is noticed at once only
   * where a client watches. Default: 5 000.
   */
  readonly ageMsMax?: number;
  /** The time, in milliseconds. Default: `performance.now()`. */
  readonly nowMs?: () => number;
}

interface Entry {
  readonly request: RangeRequest;
  readonly response: RangeResponse;
  readonly bytes: number;
  readonly madeAtMs: number;
}

interface Range {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

/** The answers, the least recently used first. What one caller read is never given to another. */
export class ReadCache {
  readonly #bounds: Required<ReadCacheOptions>;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  #writtenRevision = 0;
  #compactedRevision = 0n;
  #clearings = 0;
  #hits = 0;
  #misses = 0;

  constructor(options: ReadCacheOptions = {}) {
    const defaults = { entriesMax: 2048, bytesMax: 64 * 1024 * 1024, ageMsMax: 5_000, nowMs: () => performance.now() };
    this.#bounds = { ...defaults, ...options };
  }

  /** How it fares. */
  get stats(): { readonly entries: number; readonly bytes: number; readonly hits: number; readonly misses: number } {
    return { entries: this.#entries.size, bytes: this.#bytes, hits: this.#hits, misses: this.#misses };
  }

  /** The answer to a read, if it is known. */
  get(caller: Caller, request: RangeRequest): RangeResponse | undefined {
    const name = nameOf(caller, request);
    const entry = this.#entries.get(name);
    const isFresh = entry !== undefined && this.#bounds.nowMs() - entry.madeAtMs <= this.#bounds.ageMsMax;
    if (!isFresh) {
      this.#misses++;
      this.#remove(name);
      return undefined;
    }
    this.#hits++;
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    return entry.response;
  }

  /** To be called before a read is sent on; tells {@link add} whether its answer may be kept. */
  begin(): number {
    return this.#clearings;
  }

  /**
   * Keeps an answer, unless a write that passed here is newer.
   *
   * @param begun - what {@link begin} said before the read was sent on
   */
  add(
    caller: Caller,
    {
      request,
      response,
      begun,
    }: { readonly request: RangeRequest; readonly response: RangeResponse; readonly begun: number },
  ): void {
    if (begun !== this.#clearings || (response.header?.revision ?? 0) < this.#writtenRevision) return;
    if (isHistoric(request) && request.revision < this.#compactedRevision) return;
    const name = nameOf(caller, request);
    const bytes = RangeResponse.encode(response).finish().length + 2 * name.length;
    this.#remove(name);
    this.#entries.set(name, { request, response, bytes, madeAtMs: this.#bounds.nowMs() });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#bounds.entriesMax && this.#bytes <= this.#bounds.bytesMax) break;
      this.#remove(oldest);
    }
  }

  /** Keys have changed, or may have. */
  invalidate(ranges: readonly Range[]): void {
    this.#forget((request) => !isHistoric(request) && ranges.some((range) => overlap(range, request)));
  }

  /**
   * Keys have changed, whoever changed them.
   *
   * @param keys - the keys in their order
   * @param revision - when the last of them changed
   */
  changed(keys: readonly Uint8Array[], revision: number): void {
    this.written(revision);
    this.#forget((request) => !isHistoric(request) && holdsOneOf(request, keys));
  }

  /** A write was answered with this revision. */
  written(revision: number): void {
    this.#writtenRevision = Math.max(this.#writtenRevision, revision);
  }

  /** The history below a revision is gone: a member must say so to whoever asks for it. */
  compacted(revision: bigint): void {
    if (revision > this.#compactedRevision) this.#compactedRevision = revision;
    this.#forget((request) => isHistoric(request) && request.revision < this.#compactedRevision);
  }

  /** Forgets everything, also what is being read just now: anything may have changed, or who may see it. */
  clear(): void {
    this.#clearings++;
    this.#entries.clear();
    this.#bytes = 0;
  }

  #forget(isOutdated: (request: RangeRequest) => boolean): void {
    for (const [name, { request }] of this.#entries) if (isOutdated(request)) this.#remove(name);
  }

  #remove(name: string): void {
    this.#bytes -= this.#entries.get(name)?.bytes ?? 0;
    this.#entries.delete(name);
  }
}

function nameOf({ identity }: Caller, request: RangeRequest): string {
  return `${identity}${binaryString(RangeRequest.encode({ ...request, serializable: true }).finish())}`;
}

/** Whether a read is of a revision of its own: no later change can touch its answer. */
function isHistoric({ revision }: RangeRequest): boolean {
  return revision > 0n;
}

/** Whether a range holds one of the keys, which are in order. */
function holdsOneOf(range: Range, keys: readonly Uint8Array[]): boolean {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(keys[middle] ?? range.key, range.key) < 0) low = middle + 1;
    else high = middle;
  }
  const first = keys[low];
  return first !== undefined && startsBeforeEnd(first, range);
}

function overlap(left: Range, right: Range): boolean {
  return startsBeforeEnd(left.key, right) && startsBeforeEnd(right.key, left);
}

/** Whether a key lies before the end of a range, which is exclusive; without one the range is its one key. */
function startsBeforeEnd(key: Uint8Array, { key: start, rangeEnd }: Range): boolean {
  if (rangeEnd.length === 0) return compareBytes(key, start) <= 0;
  const isOpenEnded = rangeEnd.length === 1 && rangeEnd[0] === 0;
  return isOpenEnded || compareBytes(key, rangeEnd) < 0;
}
