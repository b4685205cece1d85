import { binaryString, utf8 } from "@conclave/base";
import { KeyValue } from "@conclave/protocol/mvccpb";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inOrder, type Step, stepsFor } from "./copy-plan.ts";
import { countOutOfOrder, type RevisionPair } from "./key-orders.ts";

/** A key-value store without history. */
class Store {
  readonly keys = new Map<string, KeyValue>();
  revision = 1;

  /** Makes writes in one revision; a value of undefined deletes. */
  write(writes: readonly (readonly [key: string, value: string | undefined])[]): void {
    this.revision += 1;
    for (const [key, value] of writes) {
      const old = this.keys.get(key);
      const [modRevision, createRevision] = [this.revision, old?.createRevision ?? this.revision];
      if (value === undefined) this.keys.delete(key);
      else
        this.keys.set(
          key,
          KeyValue.fromPartial({ key: utf8(key), value: utf8(value), modRevision, createRevision, version: 1 }),
        );
    }
  }
}

function planOf(source: Store, destination: Store, done: number): readonly Step[] {
  const names = [...new Set([...source.keys.keys(), ...destination.keys.keys()])];
  return inOrder(
    names.flatMap((name) => stepsFor({ source: source.keys.get(name), destination: destination.keys.get(name) }, done)),
  );
}

/** Takes the first steps, those of one revision together; returns the revision that all is written up to. */
function take(steps: readonly Step[], source: Store, { destination, groups }: { destination: Store; groups: number }) {
  const revisions = [...new Set(steps.map(({ revision }) => revision))].slice(0, groups);
  for (const revision of revisions) {
    const group = steps.filter((step) => step.revision === revision);
    destination.write(
      group.map(({ key, kind }) => {
        const value = source.keys.get(binaryString(key))?.value;
        return [binaryString(key), kind === "put" && value !== undefined ? binaryString(value) : undefined];
      }),
    );
  }
  return revisions.at(-1) ?? 0;
}

const contentOf = ({ keys }: Store) => [...keys].map(([key, { value }]) => [key, binaryString(value)]).sort();

function expectSame(source: Store, destination: Store): void {
  expect(contentOf(destination)).toEqual(contentOf(source));
  for (const field of ["createRevision", "modRevision"] as const) {
    const pairs = [...source.keys].map(
      ([name, key]): RevisionPair => [key[field], destination.keys.get(name)?.[field] ?? 0],
    );
    expect(countOutOfOrder(pairs), field).toBe(0);
  }
}

const write = fc.tuple(
  fc.constantFrom("a", "b", "c", "d", "e"),
  fc.option(fc.constantFrom("1", "2"), { nil: undefined }),
);
const writes = fc.uniqueArray(write, { minLength: 1, maxLength: 3, selector: ([key]) => key });
const history = fc.array(writes, { maxLength: 12 });

describe("a plan", () => {
  test("writes a key where it was created and where it was changed last", () => {
    const [source, destination] = [new Store(), new Store()];
    source.write([["a", "1"]]);
    source.write([["b", "1"]]);
    source.write([["a", "2"]]);
    const shown = planOf(source, destination, 0).map(({ revision, key, kind }) => [revision, kind, binaryString(key)]);
    expect(shown).toEqual([
      [2, "put", "a"],
      [3, "put", "b"],
      [4, "put", "a"],
    ]);
  });

  test("writes nothing that is there, and deletes what the source has not", () => {
    const [source, destination] = [new Store(), new Store()];
    source.write([["a", "1"]]);
    destination.write([
      ["a", "1"],
      ["z", "1"],
    ]);
    expect(planOf(source, destination, source.revision)).toEqual([{ revision: 0, key: utf8("z"), kind: "delete" }]);
  });

  test("makes a key again that was deleted and created since, so that it stands behind those before it", () => {
    const [source, destination] = [new Store(), new Store()];
    for (const store of [source, destination]) for (const key of ["a", "b"]) store.write([[key, "1"]]);
    const done = source.revision;
    source.write([["a", undefined]]);
    source.write([["a", "1"]]);
    take(planOf(source, destination, done), source, { destination, groups: Number.POSITIVE_INFINITY });
    expectSame(source, destination);
  });

  test("makes both the same, in the same order, however often it is interrupted while the source is written to", () => {
    const runs = fc.array(fc.record({ history, groups: fc.nat(8), lag: fc.nat(3) }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(runs, (all) => {
        const [source, destination] = [new Store(), new Store()];
        let done = 0;
        for (const run of all) {
          for (const group of run.history) source.write(group);
          const steps = planOf(source, destination, done);
          const reached = take(steps, source, { destination, groups: run.groups });
          // The mark may lag behind what was written.
          done = Math.max(done, reached - run.lag);
        }
        take(planOf(source, destination, done), source, { destination, groups: Number.POSITIVE_INFINITY });
        expectSame(source, destination);
      }),
    );
  });
});

describe("countOutOfOrder", () => {
  test.each<[string, readonly RevisionPair[], number]>([
    ["nothing", [], 0],
    [
      "the same order",
      [
        [5, 2],
        [9, 7],
        [7, 3],
      ],
      0,
    ],
    [
      "one revision that became two",
      [
        [5, 2],
        [5, 3],
        [6, 4],
      ],
      0,
    ],
    [
      "a key that was created too late",
      [
        [5, 9],
        [6, 10],
        [4, 11],
      ],
      2,
    ],
    [
      "two revisions that became one",
      [
        [5, 2],
        [6, 2],
      ],
      1,
    ],
  ])("counts in %s", (_, pairs, count) => {
    expect(countOutOfOrder(pairs)).toBe(count);
  });
});
