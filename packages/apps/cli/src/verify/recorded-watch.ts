/** @module A watch that notes every response it is given, and goes on where it was when it is cut off. */
import { binaryStringBytes } from "@conclave/base";
import {
  eventRevision,
  type KvEvent,
  type KvRange,
  kvEvent,
  type WatchRecord,
  type WatchRequest,
} from "@conclave/checkers";
import { type ClientView, sleep } from "@conclave/client";
import type { WatchResponse } from "@conclave/protocol/etcdserverpb";
import type { WatchResponses } from "../watch-responses.ts";

/** What a recorded watch is made of. */
export interface RecordedWatchOptions {
  /** What it is called in the report. */
  readonly name: string;
  /** The members, the one to begin with first; another one is asked when a connection is lost or cut. */
  readonly endpoints: readonly string[];
  /** Opens a watch of these members. */
  readonly open: (endpoints: readonly string[]) => WatchResponses;
  /** The keys. */
  readonly range: KvRange;
  /** The first revision wanted. */
  readonly startRevision: number;
  /** After how long it is cut off and resumed at the next member, again and again, in milliseconds; default: never. */
  readonly cutEveryMs?: number;
  /** Timers. */
  readonly ports: Pick<ClientView["ports"], "scheduler">;
}

/** One watch and what it was told. */
export class RecordedWatch {
  /** What it is called in the report. */
  readonly name: string;
  /** What was asked for, as the checker takes it. */
  readonly request: WatchRequest;
  /** What it was told, in order. */
  readonly records: WatchRecord[] = [];
  /** The events, in the order in which they were told. */
  readonly events: KvEvent[] = [];
  readonly #options: RecordedWatchOptions;
  readonly #stopped = new AbortController();
  readonly #waiters = new Set<() => void>();
  /** The revision of the last event. */
  #cursor: number;
  #cut = new AbortController();
  #failure: string | undefined;

  constructor(options: RecordedWatchOptions) {
    const { name, range, startRevision } = options;
    this.#options = options;
    this.name = name;
    this.request = { ...range, startRevision, previous: true };
    this.#cursor = startRevision - 1;
  }

  /** Why it ended before it was stopped; undefined if it did not. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** How often it was resumed. */
  get resumed(): number {
    return this.records.filter(({ kind }) => kind === "resumed").length;
  }

  /** Watches until it is stopped or refused; never rejects. */
  async run(): Promise<void> {
    const { endpoints, cutEveryMs } = this.#options;
    if (cutEveryMs !== undefined) void this.#cutAgainAndAgain(cutEveryMs);
    for (let turn = 0; !this.#stopped.signal.aborted && this.#failure === undefined; turn++) {
      if (turn > 0) this.records.push({ kind: "resumed", startRevision: this.#cursor + 1 });
      const first = turn % endpoints.length;
      await this.#follow([...endpoints.slice(first), ...endpoints.slice(0, first)]);
    }
    this.#wake();
  }

  /** Ends it for good. */
  stop(): void {
    this.#stopped.abort();
  }

  /** Cuts it off: it goes on at the next member. */
  cut(): void {
    this.#cut.abort();
    this.#cut = new AbortController();
  }

  /** Waits until it was told of a revision or a later one. @returns false if that took too long or it has ended */
  async reached(revision: number, timeoutMs: number): Promise<boolean> {
    const patience = new AbortController();
    const timer = this.#options.ports.scheduler.after(timeoutMs, () => {
      patience.abort();
      this.#wake();
    });
    while (this.#cursor < revision && !patience.signal.aborted && this.#failure === undefined)
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    timer.cancel();
    return this.#cursor >= revision;
  }

  async #cutAgainAndAgain(everyMs: number): Promise<void> {
    while (await sleep(this.#options.ports.scheduler, everyMs, this.#stopped.signal)) this.cut();
  }

  /** One stretch of the watch, until it is cut, stopped or refused. */
  async #follow(endpoints: readonly string[]): Promise<void> {
    const { open, range } = this.#options;
    const signal = AbortSignal.any([this.#stopped.signal, this.#cut.signal]);
    const request = {
      key: binaryStringBytes(range.key),
      rangeEnd: binaryStringBytes(range.rangeEnd ?? ""),
      startRevision: BigInt(this.#cursor + 1),
      prevKv: true,
    };
    try {
      for await (const response of open(endpoints)(request, { signal })) this.#take(response);
      if (!signal.aborted) this.#failure ??= "it was ended by the server";
    } catch (error) {
      if (!signal.aborted) this.#failure = error instanceof Error ? error.message : String(error);
    }
  }

  #take({ header, events, canceled, compactRevision, cancelReason }: WatchResponse): void {
    if (canceled) {
      if (compactRevision > 0) this.records.push({ kind: "compacted", compactRevision });
      this.#failure = compactRevision > 0 ? "what it needs was compacted" : `it was refused: ${cancelReason}`;
      return;
    }
    if (events.length === 0) return;
    const told = events.map(kvEvent);
    this.records.push({ kind: "response", revision: header?.revision ?? 0, events: told });
    this.events.push(...told);
    for (const event of told) this.#cursor = Math.max(this.#cursor, eventRevision(event));
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }
}
