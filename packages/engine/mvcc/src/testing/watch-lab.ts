import { prefixEnd, utf8, utf8Text } from "@conclave/base";
import { WatchCreateRequest } from "@conclave/protocol/etcdserverpb";
import type { Event } from "@conclave/protocol/mvccpb";
import { createMemoryBackend } from "../memory-backend.ts";
import { createMvccStore, type MvccStore } from "../store.ts";
import type { StoreEvent } from "../store-event.ts";
import type { WatchHubResponse } from "../watch-event.ts";
import { createWatchHub, type WatchHub } from "../watch-hub.ts";
import type { WatchStream } from "../watch-stream.ts";
import { copyContent } from "./copy-content.ts";

/** A create request in a few words. */
export interface WatchWish {
  readonly key: string;
  readonly end?: string;
  readonly prefix?: boolean;
  readonly start?: number | bigint;
  readonly id?: number | bigint;
  readonly prev?: boolean;
  readonly progress?: boolean;
  readonly fragment?: boolean;
  readonly filters?: (0 | 1)[];
}

/** A stream whose sink keeps what it is given, and is full while it is told to be. */
export class LabStream {
  readonly responses: WatchHubResponse[] = [];
  readonly stream: WatchStream;
  /** Responses that may still come before the sink says that it is full. */
  room: number = Number.POSITIVE_INFINITY;

  constructor(hub: WatchHub) {
    this.stream = hub.open({
      send: (response) => {
        this.responses.push(response);
        return --this.room > 0;
      },
    });
  }

  create({ key, end, prefix, start, id, prev, progress, fragment, filters }: WatchWish): void {
    const keyBytes = utf8(key);
    const rangeEnd = prefix === true ? prefixEnd(keyBytes) : utf8(end ?? "");
    this.stream.create(
      WatchCreateRequest.fromPartial({
        key: keyBytes,
        rangeEnd,
        startRevision: BigInt(start ?? 0),
        watchId: BigInt(id ?? 0),
        prevKv: prev ?? false,
        progressNotify: progress ?? false,
        fragment: fragment ?? false,
        filters: filters ?? [],
      }),
    );
  }

  /** Takes what came since the last call, one line a response. */
  take(): string[] {
    return this.responses.splice(0).map(describeResponse);
  }

  /** Takes the events that came for a watcher since the last call, one word each. */
  takeEvents(id = 0n): string[] {
    return this.responses.splice(0).flatMap(({ watchId, events }) => (watchId === id ? events.map(describeEvent) : []));
  }

  resume(room: number = Number.POSITIVE_INFINITY): void {
    this.room = room;
    this.stream.resume();
  }
}

function describeEvent({ type, kv, prevKv }: Event): string {
  if (kv === undefined) return "?";
  const previous = prevKv === undefined ? "" : `(was ${utf8Text(prevKv.value)}@${prevKv.modRevision})`;
  const value = type === 0 ? `=${utf8Text(kv.value)}` : "-";
  return `${utf8Text(kv.key)}${value}@${kv.modRevision}${previous}`;
}

function describeResponse(response: WatchHubResponse): string {
  const { header, watchId, created, canceled, compactRevision, cancelReason, fragment, events } = response;
  return [
    `#${watchId}`,
    `rev=${header?.revision}`,
    ...(created ? ["created"] : []),
    ...(canceled ? ["canceled"] : []),
    ...(compactRevision === 0 ? [] : [`compacted=${compactRevision}`]),
    ...(cancelReason === "" ? [] : [`"${cancelReason}"`]),
    ...(fragment ? ["fragment"] : []),
    ...events.map(describeEvent),
  ].join(" ");
}

/** What can be done to a store. */
export interface StoreVerbs {
  put(key: string, value?: string): void;
  delete(key: string, end?: string): void;
  /** Puts several keys in one revision. */
  putAll(keys: readonly string[], value?: string): void;
  /** Compacts, also physically. */
  compact(revision: number): void;
}

/** A store in memory with a hub, and every event that the store ever made. */
export interface WatchLab extends StoreVerbs {
  readonly store: MvccStore;
  readonly hub: WatchHub;
  readonly allEvents: readonly StoreEvent[];
  /** How often the hub said that it has work. */
  readonly wakeUps: number;
  open(): LabStream;
  /** Replaces the history by that of another member, to which something was done that this one did not see. */
  jump(unseen: (member: StoreVerbs) => void): Promise<void>;
  /** Takes steps until nobody is behind who could be served. */
  sync(): void;
}

/** How a lab differs from others. */
export interface WatchLabOptions {
  /** The hub's. */
  readonly fragmentBytes?: number;
  /** Commits wait for the next step, as they do in a member, instead of being published at once. */
  readonly publishesLate?: boolean;
}

/** Makes a lab with an empty store. */
export function watchLab({ publishesLate = false, ...options }: WatchLabOptions = {}): WatchLab {
  const leases = { exists: () => false, attach: () => {}, detach: () => {} };
  const backend = createMemoryBackend();
  const store = createMvccStore({ backend, leases });
  const allEvents: StoreEvent[] = [];
  let wakeUps = 0;
  const header = (revision: number) => ({ clusterId: 1n, memberId: 2n, revision, raftTerm: 3 });
  const hub = createWatchHub({ history: store, header, onWork: () => void wakeUps++, ...options });
  store.onCommit((revision, events) => {
    allEvents.push(...events);
    hub.commit(revision, events);
    if (!publishesLate) hub.publish();
  });
  return {
    ...storeVerbs(store),
    store,
    hub,
    allEvents,
    get wakeUps() {
      return wakeUps;
    },
    open: () => new LabStream(hub),
    jump: async (unseen) => {
      const other = createMemoryBackend();
      await copyContent(backend, other);
      const member = createMvccStore({ backend: other, leases });
      member.onCommit((_, events) => allEvents.push(...events));
      unseen(storeVerbs(member));
      await copyContent(other, backend);
      for (const _ of store.reload());
      hub.resync();
    },
    sync: () => {
      while (hub.syncStep());
    },
  };
}

function storeVerbs(store: MvccStore): StoreVerbs {
  const putRequest = (key: string, value: string) => ({
    key: utf8(key),
    value: utf8(value),
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  });
  return {
    put: (key, value = "") => void store.put(putRequest(key, value)),
    delete: (key, end = "") => void store.deleteRange({ key: utf8(key), rangeEnd: utf8(end), prevKv: false }),
    putAll: (keys, value = "") => {
      const success = keys.map((key) => ({
        request: { $case: "requestPut" as const, value: putRequest(key, value) },
      }));
      store.txn({ compare: [], success, failure: [] });
    },
    compact: (revision) => {
      store.compact(revision);
      while (store.compactStep());
    },
  };
}
