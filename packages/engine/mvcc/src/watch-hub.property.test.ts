import fc from "fast-check";
import { expect, test } from "vitest";
import type { MvccStore } from "./store.ts";
import type { StoreEvent } from "./store-event.ts";
import { type LabStream, type StoreVerbs, type WatchLab, type WatchWish, watchLab } from "./testing/watch-lab.ts";

const key = fc.constantFrom("a", "b", "bb", "c");
const wish = fc.record(
  {
    key,
    end: fc.constantFrom("b", "c", "d", "\0"),
    start: fc.integer({ min: 1, max: 40 }),
    prev: fc.boolean(),
    fragment: fc.boolean(),
    filters: fc.subarray([0, 1] as (0 | 1)[]),
  },
  { requiredKeys: ["key"] },
);
const stream = fc.nat({ max: 2 });
const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ name: fc.constant("put" as const), keys: fc.uniqueArray(key, { minLength: 1 }) }),
  },
  { weight: 2, arbitrary: fc.record({ name: fc.constant("delete" as const), key }) },
  { weight: 4, arbitrary: fc.record({ name: fc.constant("watch" as const), stream, wish }) },
  { weight: 1, arbitrary: fc.record({ name: fc.constant("cancel" as const), stream, id: fc.nat({ max: 5 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ name: fc.constant("room" as const), stream, room: fc.integer({ min: 1, max: 5 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ name: fc.constant("resume" as const), stream, room: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 1, arbitrary: fc.record({ name: fc.constant("compact" as const), back: fc.nat({ max: 10 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      name: fc.constant("jump" as const),
      keys: fc.array(key, { maxLength: 6 }),
      back: fc.option(fc.nat({ max: 8 }), { nil: undefined }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ name: fc.constant("step" as const) }) },
  { weight: 2, arbitrary: fc.record({ name: fc.constant("progress" as const), stream }) },
);

/** What a client knows of one of its watchers: what it asked for and what it was given. */
interface Expectation {
  readonly wish: WatchWish;
  /** First revision it should hear of. */
  readonly from: number;
  /** Revision after which it was canceled. */
  until: number;
  readonly received: string[];
  /** Revision of the last event it was given. */
  last?: number;
  /** No event at or below it may come any more. */
  promised: number;
}

/** The simplest watch there can be: a filter of everything that ever happened. */
function wanted({ wish, from, until }: Expectation, events: readonly StoreEvent[]): StoreEvent[] {
  const end = wish.end === undefined ? `${wish.key}\0` : wish.end === "\0" ? "\xff" : wish.end;
  return events.filter(
    (event) =>
      event.key >= wish.key &&
      event.key < end &&
      event.modRevision >= from &&
      event.modRevision <= until &&
      !(wish.filters ?? []).includes(event.type === "put" ? 0 : 1),
  );
}

const name = (event: { type: unknown; modRevision: number }, eventKey: string): string =>
  `${event.type === "put" || event.type === 0 ? "put" : "delete"} ${eventKey}@${event.modRevision}`;

/** One client stream and what its user expects of it. */
class Client {
  readonly lab: WatchLab;
  readonly sink: LabStream;
  readonly watchers = new Map<bigint, Expectation>();
  readonly finished: Expectation[] = [];

  constructor(lab: WatchLab) {
    this.lab = lab;
    this.sink = lab.open();
  }

  watch(wish: WatchWish): void {
    const from = wish.start === undefined ? this.lab.store.currentRevision + 1 : Number(wish.start);
    this.sink.create(wish);
    this.read({ wish, from, until: Number.POSITIVE_INFINITY, received: [], promised: 0 });
  }

  /** Reads what came; a `created` in it answers the request just made. */
  read(created?: Expectation): void {
    for (const response of this.sink.responses.splice(0)) {
      const { watchId, header, events } = response;
      if (response.created && created !== undefined && !response.canceled) this.watchers.set(watchId, created);
      const watcher = this.watchers.get(watchId);
      if (response.canceled) this.finish(watchId, response.compactRevision);
      if (response.created || response.canceled) continue;
      const told = watchId === -1n ? [...this.watchers.values()] : watcher === undefined ? [] : [watcher];
      if (events.length === 0) for (const one of told) one.promised = header?.revision ?? 0;
      for (const event of events) {
        expect(watcher, "events only for a watcher that lives").toBeDefined();
        expect(event.modRevision).toBeGreaterThan(watcher?.promised ?? 0);
        watcher?.received.push(name(event, new TextDecoder().decode(event.kv.key)));
        if (watcher !== undefined) watcher.last = event.modRevision;
        const { prevKv, kv } = event;
        if (prevKv !== undefined) expect(prevKv.modRevision).toBeLessThan(kv.modRevision);
        if (watcher?.wish.prev !== true) expect(prevKv).toBeUndefined();
      }
    }
  }

  cancel(id: bigint): void {
    const watcher = this.watchers.get(id);
    if (watcher !== undefined) watcher.until = this.lab.store.currentRevision;
    this.sink.stream.cancel(id);
  }

  finish(id: bigint, compactRevision: number): void {
    const watcher = this.watchers.get(id);
    if (watcher === undefined) return;
    if (compactRevision > 0) {
      const next = Math.max(watcher.from, watcher.promised + 1, (watcher.last ?? 0) + 1);
      expect(next, "the compaction took something from it").toBeLessThan(compactRevision);
    }
    this.watchers.delete(id);
    this.finished.push(watcher);
  }

  /** Nothing missing, nothing twice, nothing out of order; who ended early has the beginning of it. */
  check(): void {
    const expected = (watcher: Expectation) =>
      wanted(watcher, this.lab.allEvents).map((event) => name(event, event.key));
    for (const watcher of this.watchers.values()) expect(watcher.received).toEqual(expected(watcher));
    for (const watcher of this.finished) {
      expect(watcher.received).toEqual(expected(watcher).slice(0, watcher.received.length));
    }
  }
}

/** Puts keys and compacts, if so, some revisions back. */
function putAndCompact(
  member: StoreVerbs,
  history: MvccStore,
  keys: readonly string[],
  back: number | undefined,
): void {
  for (const one of keys) member.put(one);
  const revision = history.currentRevision + keys.length - (back ?? 0);
  if (back !== undefined && revision > Math.max(1, history.compactRevision)) member.compact(revision);
}

test("any watcher of any history gets what a filter of all events gives, once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(command, { maxLength: 150, size: "max" }), async (late, commands) => {
      const lab = watchLab({ fragmentBytes: 80, publishesLate: late });
      const clients = [new Client(lab), new Client(lab), new Client(lab)];
      const clientOf = (index: number) => clients[index] ?? new Client(lab);
      for (const step of commands) {
        switch (step.name) {
          case "put":
            lab.putAll(step.keys, "value");
            break;
          case "delete":
            lab.delete(step.key);
            break;
          case "watch":
            clientOf(step.stream).watch(step.wish);
            break;
          case "cancel":
            clientOf(step.stream).cancel(BigInt(step.id));
            break;
          case "room":
            clientOf(step.stream).sink.room = step.room;
            break;
          case "resume":
            clientOf(step.stream).sink.resume(step.room);
            break;
          case "compact":
            putAndCompact(lab, lab.store, [], step.back);
            break;
          case "jump":
            await lab.jump((member) => putAndCompact(member, lab.store, step.keys, step.back));
            break;
          case "step":
            lab.hub.syncStep();
            break;
          case "progress":
            clientOf(step.stream).sink.stream.requestProgress();
            break;
        }
        for (const client of clients) client.read();
      }
      for (const client of clients) client.sink.resume();
      lab.sync();
      for (const client of clients) client.read();
      for (const client of clients) client.check();
    }),
    { numRuns: 300 },
  );
}, 60_000);
