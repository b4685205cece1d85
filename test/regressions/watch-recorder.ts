import { utf8, utf8Text } from "@conclave/base";
import { WatchCreateRequest, type WatchResponse } from "@conclave/protocol/etcdserverpb";
import { Event_EventType as EventType } from "@conclave/protocol/mvccpb";
import type { Member } from "@conclave/server";

/** What a watcher may be asked for. */
export interface WatchWish {
  /** Keys that start so are watched; default: all. */
  readonly prefix?: string;
  /** The first revision; default: the next one. */
  readonly from?: number;
  /** Carry the pair before each change; default: false. */
  readonly prevKv?: boolean;
}

/** A stream of watchers of a member that keeps every response, and reads slowly if it is told to. */
export class WatchRecorder {
  /** Everything that came, in order. */
  readonly responses: WatchResponse[] = [];
  readonly #stream: ReturnType<Member["watchFeed"]["open"]>;
  readonly #member: Member;
  /** Responses that it still takes before it says that it is full. */
  #room = Number.POSITIVE_INFINITY;
  #nextId = 1n;

  constructor(member: Member) {
    this.#member = member;
    this.#stream = member.watchFeed.open({
      send: (response) => {
        // Those of the hub hold what they show only as long as the store does.
        this.responses.push({
          ...response,
          events: response.events.map(({ type, kv, prevKv }) => ({ type, kv, prevKv })),
        });
        return --this.#room > 0;
      },
    });
  }

  /** Starts a watcher and gives its id. */
  watch({ prefix = "", from = 0, prevKv = false }: WatchWish = {}): bigint {
    const watchId = this.#nextId++;
    const key = prefix === "" ? Uint8Array.of(0) : utf8(prefix);
    const rangeEnd = prefix === "" ? Uint8Array.of(0) : utf8(`${prefix.slice(0, -1)}${nextLetter(prefix)}`);
    const request = { key, rangeEnd, watchId, startRevision: BigInt(from), prevKv, progressNotify: true };
    this.#stream.create(WatchCreateRequest.fromPartial(request));
    return watchId;
  }

  /** Asks how far all its watchers have been served. */
  requestProgress(): void {
    this.#stream.requestProgress();
  }

  /** Takes so many responses more and is full then. */
  take(count: number): void {
    this.#room = count;
    this.#stream.resume();
  }

  /** Ends all its watchers. */
  close(): void {
    this.#member.watchFeed.close(this.#stream);
  }

  /** The responses to one watcher. */
  of(watchId: bigint): WatchResponse[] {
    return this.responses.filter((response) => response.watchId === watchId);
  }

  /** The events of one watcher, as `put key@revision` or `delete key@revision`. */
  eventsOf(watchId: bigint): string[] {
    return this.of(watchId).flatMap(({ events }) => events.map(describeEvent));
  }
}

function nextLetter(prefix: string): string {
  return String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

/** `put key@revision` or `delete key@revision`. */
export function describeEvent({ type, kv }: WatchResponse["events"][number]): string {
  if (kv === undefined) throw new Error("An event has a key");
  return `${type === EventType.DELETE ? "delete" : "put"} ${utf8Text(kv.key)}@${kv.modRevision}`;
}
