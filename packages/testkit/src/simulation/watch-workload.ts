/**
 * @module Clients that watch all keys and note every frame that they are told. When a stream is lost, or they are tired
 * of their member, they go on at another one where they were.
 */
import { binaryStringBytes, type Random } from "@conclave/base";
import {
  eventRevision,
  type KvEvent,
  kvEvent,
  type WatchRecord,
  type WatchRequest as WatchSubject,
} from "@conclave/checkers";
import type { ClientStream, ClientTransport } from "@conclave/client";
import { WatchCreateRequest, WatchRequest, WatchResponse } from "@conclave/protocol/etcdserverpb";
import type { MachineTime } from "./machine-time.ts";

/** What a watcher is made of. */
export interface RecordingWatcherOptions {
  /** The way to the members. */
  readonly transport: ClientTransport;
  /** The time of its machine. */
  readonly time: MachineTime;
  /** Decides which member is asked, and for how long. */
  readonly random: Random;
  /** The members. */
  readonly endpoints: () => readonly string[];
  /** Longest time that it stays with one member, in ms; default: 20 000. */
  readonly stayMs?: number;
}

/** How long a stream may be silent before another member is asked. */
const silenceMs = 6_000;
const pauseMs = 200;

/** What it asks for: all keys from the first revision on, and the values before. */
export const watchSubject: WatchSubject = { key: "\0", rangeEnd: "\0", startRevision: 1, previous: true };

/** Watches until it is stopped. */
export class RecordingWatcher {
  /** What it was told. */
  readonly records: WatchRecord[] = [];
  /** The events, in the order in which they were told. */
  readonly events: KvEvent[] = [];
  readonly #options: Required<RecordingWatcherOptions>;
  /** The revision of the last event; what comes after it is asked for next. */
  #cursor = 0;
  #isStopped = false;

  constructor(options: RecordingWatcherOptions) {
    this.#options = { stayMs: 20_000, ...options };
  }

  /** Up to which revision it was told everything. */
  get cursor(): number {
    return this.#cursor;
  }

  /** Watches until {@link RecordingWatcher.stop}. */
  async run(): Promise<void> {
    const { time, random } = this.#options;
    while (!this.#isStopped) {
      await this.#watch();
      await time.sleep(random.fraction() * pauseMs);
      this.records.push({ kind: "resumed", startRevision: this.#cursor + 1 });
    }
  }

  /** Ends the watch. */
  stop(): void {
    this.#isStopped = true;
  }

  /** One stream, from its begin to its end. */
  #watch(): Promise<void> {
    const { transport, random, endpoints } = this.#options;
    const all = endpoints();
    const endpoint = all[random.below(all.length)] as string;
    return new Promise((resolve) => {
      const call = { endpoint, path: "/etcdserverpb.Watch/Watch", metadata: { hasleader: "true" } };
      let heardMs = this.#nowMs;
      const end = () => {
        leave.cancel();
        stream.cancel();
        resolve();
      };
      const stream = transport.stream(call, {
        onMessage: (bytes) => {
          heardMs = this.#nowMs;
          if (!this.#take(bytes)) end();
        },
        onEnd: end,
      });
      const leave = this.#lookAround(stream, { end, silentMs: () => this.#nowMs - heardMs });
      this.#ask(stream);
    });
  }

  get #nowMs(): number {
    return this.#options.time.monotonicMs();
  }

  #ask(stream: ClientStream): void {
    const value = WatchCreateRequest.fromPartial({
      key: binaryStringBytes(watchSubject.key),
      rangeEnd: binaryStringBytes("\0"),
      startRevision: BigInt(this.#cursor + 1),
      progressNotify: true,
      prevKv: true,
    });
    stream.write(encoded({ $case: "createRequest", value }));
  }

  /** Asks for bookmarks, and ends a stream that is silent or has lasted long enough. */
  #lookAround(stream: ClientStream, watch: { readonly end: () => void; readonly silentMs: () => number }) {
    const { time, random, stayMs } = this.#options;
    const leaveMs = this.#nowMs + random.fraction() * stayMs;
    const look = () => {
      if (this.#isStopped || this.#nowMs > leaveMs || watch.silentMs() > silenceMs) {
        watch.end();
        return;
      }
      stream.write(encoded({ $case: "progressRequest", value: {} }));
      timer = time.after(1_000, look);
    };
    let timer = time.after(1_000, look);
    return { cancel: () => timer.cancel() };
  }

  /** @returns whether the watch goes on */
  #take(bytes: Uint8Array): boolean {
    const { header, events, created, canceled, compactRevision } = WatchResponse.decode(bytes);
    const revision = header?.revision ?? 0;
    if (canceled) {
      if (compactRevision > 0) this.records.push({ kind: "compacted", compactRevision });
      return false;
    }
    if (created) return true;
    if (events.length === 0) {
      this.records.push({ kind: "bookmark", revision });
      return true;
    }
    const told = events.map(kvEvent);
    this.records.push({ kind: "response", revision, events: told });
    this.events.push(...told);
    for (const event of told) this.#cursor = Math.max(this.#cursor, eventRevision(event));
    return true;
  }
}

function encoded(requestUnion: WatchRequest["requestUnion"]): Uint8Array {
  return WatchRequest.encode({ requestUnion }).finish();
}
