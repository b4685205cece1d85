/** @module Watches through random histories, cuts, fragments and compactions, held against the store itself. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allKeys } from "../kv/key-range.ts";
import { modelCluster } from "../testing/model-client.ts";
import type { Change } from "../testing/model-store.ts";
import type { WatchBatch } from "./watch-batch.ts";

const change: fc.Arbitrary<Change> = fc.record({
  key: fc.constantFrom("a", "b", "c", "d"),
  value: fc.option(fc.constantFrom("1", "2", "3"), { nil: undefined }),
});
/** The changes of one revision touch a key once, as the protocol wants it. */
const revision = fc.uniqueArray(change, { minLength: 1, maxLength: 4, selector: ({ key }) => key });

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("commit" as const), changes: revision }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 300 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cut" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("outage" as const), member: fc.constantFrom("m1:1", "m2:1") }),
  },
);
const compaction = fc.record({ kind: fc.constant("compact" as const) });

interface Shape {
  readonly fragmentEvents: number;
  readonly batchRevisions: number;
  readonly bufferEvents: number;
  readonly cutEvery: number;
}

const shape: fc.Arbitrary<Shape> = fc.record({
  fragmentEvents: fc.constantFrom(1, 2, 100),
  batchRevisions: fc.constantFrom(1, 2, 100),
  bufferEvents: fc.constantFrom(1, 5, 10_000),
  // Enough frames between two cuts for the largest revision to come whole.
  cutEvery: fc.constantFrom(8, 13, Number.MAX_SAFE_INTEGER),
});

type Step =
  | { readonly kind: "commit"; readonly changes: readonly Change[] }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "cut" }
  | { readonly kind: "compact" }
  | { readonly kind: "outage"; readonly member: string };

/** Runs the steps under a watch, then lets everything settle. */
async function watchThrough(
  steps: readonly Step[],
  { fragmentEvents, batchRevisions, bufferEvents, cutEvery }: Shape,
  from: number | "snapshot",
) {
  let frame = 0;
  const onFrame = () => (++frame % cutEvery === 0 ? "cut" : "send");
  const { client, store, network, time } = modelCluster({ members: 2, fragmentEvents, batchRevisions, onFrame });
  const batches: WatchBatch[] = [];
  client.watch(allKeys(), { from, bufferEvents }).on("batch", (batch) => batches.push(batch));
  for (const each of steps) {
    if (each.kind === "commit") store.commit(each.changes);
    else if (each.kind === "wait") await time.advance(each.ms);
    else if (each.kind === "compact") store.compactRevision = store.revision;
    else if (each.kind === "cut") for (const stream of network.streams) stream.end();
    else {
      network.reachability.clear();
      network.reachability.set(each.member, "silent");
      for (const stream of network.streams) if (stream.endpoint === each.member) stream.end();
    }
  }
  network.reachability.clear();
  await time.advance(300_000);
  return { batches, store };
}

/** What a consumer holds that applies every event. */
function stateAfter(batches: readonly WatchBatch[]): Map<string, string> {
  const state = new Map<string, string>();
  for (const { events } of batches)
    for (const { type, kv } of events) {
      if (type === "put") state.set(kv.keyString, kv.valueString);
      else state.delete(kv.keyString);
    }
  return state;
}

function expectAscending(batches: readonly WatchBatch[]): void {
  const revisions = batches.map((batch) => batch.revision);
  expect(revisions).toEqual([...new Set(revisions)].sort((left, right) => left - right));
}

describe("a watch", { timeout: 120_000 }, () => {
  test("tells the history, each revision once and whole, whatever happens to its streams", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), shape, async (steps, shaped) => {
        const { batches, store } = await watchThrough(steps, shaped, 1);
        const told = batches.map(({ revision: at, events }) => [
          at,
          events.map(({ type, kv }) => [type, kv.keyString, kv.valueString]),
        ]);
        const wanted = store.history.map(({ revision: at, events }) => [
          at,
          events.map(({ type, kv }) => [
            type === 0 ? "put" : "delete",
            Buffer.from(kv?.key ?? []).toString(),
            Buffer.from(kv?.value ?? []).toString(),
          ]),
        ]);
        expect(told).toEqual(wanted);
      }),
      { numRuns: 150 },
    );
  });

  test("that resyncs leads to what the store holds, whatever was compacted away", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(step, compaction), { maxLength: 25 }), shape, async (steps, shaped) => {
        const { batches, store } = await watchThrough(steps, shaped, "snapshot");
        expectAscending(batches);
        const wanted = store.list(allKeys().key, allKeys().rangeEnd, store.revision);
        const held = wanted.map(
          ({ key, value }) => [Buffer.from(key).toString(), Buffer.from(value).toString()] as const,
        );
        expect([...stateAfter(batches)].sort()).toEqual(held);
        const lastSnapshot = batches.findLast((batch) => batch.kind === "resync");
        expect(lastSnapshot).toBeDefined();
      }),
      { numRuns: 150 },
    );
  });
});
