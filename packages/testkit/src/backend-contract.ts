/** @module What every backend must do, as a suite that each of them runs. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { type Backend, type BackendScan, type BackendView, type Bucket, utf8, utf8Text } from "@conclave/base";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

/** One store as the suite uses it. Made anew for each test. */
export interface BackendUnderTest {
  /** Opens the store on what is durable; empty the first time. At most one is open at a time. */
  open(): Promise<Backend>;
  /** Ends an open backend without giving it a chance to save anything. */
  crash(backend: Backend): Promise<void>;
  /** Removes everything; called after each test, whatever is still open. */
  dispose(): Promise<void>;
}

/** The store of the running test, with the verbs that the tests speak in. Everything goes into the bucket "key". */
class Bench {
  readonly #create: () => Promise<BackendUnderTest>;
  #store: BackendUnderTest | undefined;
  #backend: Backend | undefined;

  constructor(create: () => Promise<BackendUnderTest>) {
    this.#create = create;
  }

  get backend(): Backend {
    if (this.#backend === undefined) throw new Error("The bench has not been set up");
    return this.#backend;
  }

  async setUp(): Promise<void> {
    this.#store = await this.#create();
    this.#backend = await this.#store.open();
  }

  async tearDown(): Promise<void> {
    await this.#store?.dispose();
  }

  async reopen(): Promise<void> {
    await this.#backend?.close();
    this.#backend = await this.#store?.open();
  }

  async restartAfterCrash(): Promise<void> {
    await this.#store?.crash(this.backend);
    this.#backend = await this.#store?.open();
  }

  put(key: string, value: string): void {
    this.backend.put("key", utf8(key), utf8(value));
  }

  delete(key: string): void {
    this.backend.delete("key", utf8(key));
  }

  get(key: string): string | undefined {
    return text(this.backend.get("key", utf8(key)));
  }

  entries(scan: BackendScan = {}): [string, string][] {
    return [...this.backend.scan("key", scan)].map(([key, value]) => [utf8Text(key), utf8Text(value)]);
  }

  keys(scan: BackendScan = {}): string[] {
    return this.entries(scan).map(([key]) => key);
  }

  async commitKeys(...keys: readonly string[]): Promise<void> {
    for (const key of keys) this.put(key, key);
    await this.backend.commit();
  }
}

/**
 * Declares the suite.
 *
 * @param name - of the backend, for the report
 * @param create - makes a store that nobody has written to
 */
export function describeBackend(name: string, create: () => Promise<BackendUnderTest>): void {
  describe(`${name} as a backend`, () => {
    const bench = new Bench(create);
    beforeEach(() => bench.setUp());
    afterEach(() => bench.tearDown());

    describe("get", () => describeGet(bench));
    describe("scan", () => describeScan(bench));
    describe("commit", () => describeCommit(bench));
    describe("openView", () => describeView(bench));
    describe("replace", () => describeReplace(bench));
    describe("replace, interrupted", () => describeBrokenReplace(bench));
    describe("close", () => describeClose(bench));
    describe("size and defragment", () => describeSize(bench));
    it("behaves like a sorted map of which crashes keep what was committed", () => behavesLikeModel(bench), 60_000);
  });
}

function describeGet(bench: Bench): void {
  it("finds nothing in a new store", () => {
    expect(bench.get("a")).toBeUndefined();
  });

  it("sees the last put at once", () => {
    bench.put("a", "1");
    bench.put("a", "2");
    expect(bench.get("a")).toBe("2");
  });

  it("sees a deletion of what is durable at once", async () => {
    await bench.commitKeys("a");
    bench.delete("a");
    expect(bench.get("a")).toBeUndefined();
  });

  it("keeps buckets apart", () => {
    bench.put("a", "1");
    expect(bench.backend.get("meta", utf8("a"))).toBeUndefined();
  });

  it("tells an empty value from none", async () => {
    bench.put("a", "");
    expect(bench.get("a")).toBe("");
    await bench.backend.commit();
    expect(bench.get("a")).toBe("");
  });

  it("returns bytes that later writes and reads leave alone", async () => {
    await bench.commitKeys("a", "b");
    const first = bench.backend.get("key", utf8("a"));
    bench.get("b");
    bench.put("a", "2");
    await bench.backend.commit();
    bench.get("a");
    expect(text(first)).toBe("a");
  });

  it("carries every byte in keys and values, and large values", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const longest = new Uint8Array(1_900).fill(255);
    bench.backend.put("key", bytes, bytes);
    bench.backend.put("key", longest, new Uint8Array(3_000_000).fill(7));
    await bench.backend.commit();
    expect([...(bench.backend.get("key", bytes) ?? [])]).toEqual([...bytes]);
    const large = bench.backend.get("key", longest);
    expect(large?.length).toBe(3_000_000);
    expect(large?.every((byte) => byte === 7)).toBe(true);
  });
}

function describeScan(bench: Bench): void {
  it("orders keys as unsigned bytes, a prefix before what it begins", async () => {
    for (const key of [[0x80], [0x7f, 0xff], [0x7f], [0x00], [0xff]])
      bench.backend.put("key", Uint8Array.from(key), utf8("x"));
    const keys = () => [...bench.backend.scan("key")].map(([key]) => [...key]);
    const ascending = [[0x00], [0x7f], [0x7f, 0xff], [0x80], [0xff]];
    expect(keys()).toEqual(ascending);
    await bench.backend.commit();
    expect(keys()).toEqual(ascending);
  });

  it("includes the start and excludes the end", async () => {
    await bench.commitKeys("a", "b", "c", "d");
    expect(bench.keys({ start: utf8("b"), end: utf8("d") })).toEqual(["b", "c"]);
    expect(bench.keys({ start: utf8("bb") })).toEqual(["c", "d"]);
    expect(bench.keys({ start: utf8("d"), end: utf8("b") })).toEqual([]);
    expect(bench.keys({ start: utf8(""), end: utf8("c") })).toEqual(["a", "b"]);
    expect(bench.keys({ end: utf8("") })).toEqual([]);
  });

  it("goes from the last key to the first in reverse, within the same bounds", async () => {
    await bench.commitKeys("a", "b", "c", "d");
    expect(bench.keys({ start: utf8("b"), end: utf8("d"), reverse: true })).toEqual(["c", "b"]);
    expect(bench.keys({ reverse: true })).toEqual(["d", "c", "b", "a"]);
    expect(bench.keys({ start: utf8(""), end: utf8("c"), reverse: true })).toEqual(["b", "a"]);
    expect(bench.keys({ end: utf8(""), reverse: true })).toEqual([]);
  });

  it("lays what is buffered over what is durable", async () => {
    await bench.commitKeys("a", "c", "e");
    bench.put("b", "new");
    bench.put("c", "changed");
    bench.delete("e");
    bench.put("f", "new");
    expect(bench.entries()).toEqual([
      ["a", "a"],
      ["b", "new"],
      ["c", "changed"],
      ["f", "new"],
    ]);
  });

  it("can end early", async () => {
    await bench.commitKeys("a", "b", "c");
    for (const [key] of bench.backend.scan("key")) {
      expect(text(key)).toBe("a");
      break;
    }
    expect(bench.keys()).toEqual(["a", "b", "c"]);
  });

  it("stays whole while a commit lands in the middle of it", async () => {
    const keys = numberedKeys(2_000);
    for (const key of keys) bench.put(key, key);
    const seen: string[] = [];
    for (const [key] of bench.backend.scan("key")) {
      seen.push(utf8Text(key));
      if (seen.length === 700) await bench.backend.commit();
    }
    expect(seen).toEqual(keys);
  });

  it("goes through more than fits into one piece, either way", async () => {
    const keys = numberedKeys(2_000);
    await bench.commitKeys(...keys);
    expect(bench.keys()).toEqual(keys);
    expect(bench.keys({ reverse: true })).toEqual(keys.toReversed());
  });
}

function describeCommit(bench: Bench): void {
  it("makes puts and deletions survive a crash", async () => {
    await bench.commitKeys("a", "b");
    bench.delete("a");
    await bench.backend.commit();
    await bench.restartAfterCrash();
    expect(bench.keys()).toEqual(["b"]);
  });

  it("leaves what came after it to the next one", async () => {
    bench.put("a", "1");
    const committed = bench.backend.commit();
    bench.put("b", "2");
    await committed;
    await bench.restartAfterCrash();
    expect(bench.keys()).toEqual(["a"]);
  });

  it("writes all buckets in one step", async () => {
    bench.put("a", "1");
    bench.backend.put("meta", utf8("consistent_index"), utf8("9"));
    await bench.backend.commit();
    await bench.restartAfterCrash();
    expect(bench.get("a")).toBe("1");
    expect(text(bench.backend.get("meta", utf8("consistent_index")))).toBe("9");
  });

  it("may be called again before it is done", async () => {
    bench.put("a", "1");
    const first = bench.backend.commit();
    bench.put("a", "2");
    bench.put("b", "2");
    const second = bench.backend.commit();
    expect(bench.get("a")).toBe("2");
    await Promise.all([first, second]);
    await bench.restartAfterCrash();
    expect(bench.entries()).toEqual([
      ["a", "2"],
      ["b", "2"],
    ]);
  });

  it("shows what it has written to whoever reads right after it, however often they read before", async () => {
    for (const key of numberedKeys(50)) {
      bench.put(key, key);
      let seen: string | undefined;
      let done = false;
      const committed = bench.backend.commit().then(() => {
        seen = bench.get(key);
        done = true;
      });
      while (!done) {
        bench.get("none");
        await nextTurn();
      }
      await committed;
      expect(seen).toBe(key);
    }
  });

  it("leaves nothing pending", async () => {
    expect(bench.backend.pending).toEqual({ operations: 0, bytes: 0 });
    bench.put("a", "1");
    expect(bench.backend.pending.operations).toBe(1);
    expect(bench.backend.pending.bytes).toBeGreaterThan(1);
    await bench.backend.commit();
    expect(bench.backend.pending).toEqual({ operations: 0, bytes: 0 });
  });

  it("does nothing when there is nothing to do", async () => {
    await bench.backend.commit();
    await bench.backend.commit();
    expect(bench.keys()).toEqual([]);
  });
}

function describeView(bench: Bench): void {
  const keysOf = (view: BackendView) => [...view.scan("key")].map(([key]) => utf8Text(key));

  it("shows what is committed and nothing that is buffered", async () => {
    await bench.commitKeys("a", "b");
    bench.put("c", "buffered");
    bench.delete("a");
    const view = bench.backend.openView();
    expect(keysOf(view)).toEqual(["a", "b"]);
    expect(text(view.get("key", utf8("a")))).toBe("a");
    expect(view.get("key", utf8("c"))).toBeUndefined();
    view.close();
  });

  it("stays as it was while commits go on, also in the middle of a scan", async () => {
    const keys = numberedKeys(2_000);
    await bench.commitKeys(...keys);
    const view = bench.backend.openView();
    const seen: string[] = [];
    for (const [key] of view.scan("key")) {
      seen.push(utf8Text(key));
      if (seen.length % 500 !== 1) continue;
      for (const later of keys.slice(seen.length, seen.length + 300)) bench.delete(later);
      await bench.commitKeys(`new ${seen.length}`);
      await nextTurn();
    }
    expect(seen).toEqual(keys);
    expect(view.get("key", utf8("new 1"))).toBeUndefined();
    expect(bench.get("new 1")).toBe("new 1");
    view.close();
  });

  it("shows the last commit each time one is opened, however soon after a read or commit", async () => {
    for (const key of numberedKeys(30)) {
      bench.get("none");
      const before = bench.backend.openView();
      await bench.commitKeys(key);
      bench.get("none");
      const after = bench.backend.openView();
      expect(before.get("key", utf8(key))).toBeUndefined();
      expect(text(after.get("key", utf8(key)))).toBe(key);
      before.close();
      after.close();
    }
  });

  it("cannot be read once it is closed, which leaves other views and the store alone", async () => {
    await bench.commitKeys("a");
    const [first, second] = [bench.backend.openView(), bench.backend.openView()];
    first.close();
    first.close();
    expect(() => first.get("key", utf8("a"))).toThrow();
    expect(() => [...first.scan("key")]).toThrow();
    expect(keysOf(second)).toEqual(["a"]);
    expect(bench.keys()).toEqual(["a"]);
    second.close();
  });

  it("ends with the store", async () => {
    await bench.commitKeys("a");
    const view = bench.backend.openView();
    await bench.reopen();
    expect(() => view.get("key", utf8("a"))).toThrow();
    expect(bench.keys()).toEqual(["a"]);
    view.close();
  });
}

type ReplacementEntry = readonly [bucket: Bucket, key: Uint8Array, value: Uint8Array];

function entriesOf(...keys: readonly string[]): ReplacementEntry[] {
  return keys.map((key) => ["key", utf8(key), utf8(`new ${key}`)]);
}

const appliedIndex: ReplacementEntry = ["meta", utf8("consistent_index"), utf8("9")];

async function* stream(entries: Iterable<ReplacementEntry>): AsyncGenerator<ReplacementEntry> {
  yield* entries;
}

/** Entries that end in a wait for ever; the promise resolves once they have all been taken. */
function endless(entries: Iterable<ReplacementEntry>): [AsyncGenerator<ReplacementEntry>, Promise<void>] {
  let resolveTaken = () => {};
  const taken = new Promise<void>((resolve) => {
    resolveTaken = resolve;
  });
  async function* wait(): AsyncGenerator<ReplacementEntry> {
    yield* entries;
    resolveTaken();
    await new Promise(() => {});
  }
  return [wait(), taken];
}

function appliedIndexOf(bench: Bench): string | undefined {
  return text(bench.backend.get("meta", utf8("consistent_index")));
}

/** Commits the keys "a" and "b" and an applied index. */
function commitIndex(bench: Bench, index: string): Promise<void> {
  bench.backend.put("meta", utf8("consistent_index"), utf8(index));
  return bench.commitKeys("a", "b");
}

function describeReplace(bench: Bench): void {
  const meta = () => appliedIndexOf(bench);

  it("leaves nothing but the entries: neither what was durable nor what was buffered", async () => {
    await commitIndex(bench, "3");
    bench.backend.put("lease", utf8("l"), utf8("1"));
    const committing = bench.backend.commit();
    bench.put("c", "buffered");
    await bench.backend.replace(stream([...entriesOf("b", "x"), appliedIndex]));
    await committing;
    for (const _ of ["at once", "after a crash"]) {
      expect(bench.entries()).toEqual([
        ["b", "new b"],
        ["x", "new x"],
      ]);
      expect(bench.backend.get("lease", utf8("l"))).toBeUndefined();
      expect(meta()).toBe("9");
      expect(bench.backend.pending.operations).toBe(0);
      await bench.restartAfterCrash();
    }
  });

  it("takes writes and commits again afterwards", async () => {
    await bench.backend.replace(stream(entriesOf("b")));
    await bench.commitKeys("c");
    bench.delete("b");
    await bench.backend.commit();
    await bench.restartAfterCrash();
    expect(bench.entries()).toEqual([["c", "c"]]);
  });

  it("empties the store if there are no entries", async () => {
    await commitIndex(bench, "3");
    await bench.backend.replace(stream([]));
    expect(bench.keys()).toEqual([]);
    expect(meta()).toBeUndefined();
  });

  it("leaves the content before it readable until it is done, buffered writes included, and refuses writes", async () => {
    await commitIndex(bench, "3");
    bench.put("c", "buffered");
    let checked = 0;
    async function* watched(): AsyncGenerator<ReplacementEntry> {
      for (const entry of [appliedIndex, ...entriesOf(...numberedKeys(9_000))]) {
        yield entry;
        if (checked++ % 3_000 !== 0) continue;
        await nextTurn();
        expect(bench.keys()).toEqual(["a", "b", "c"]);
        expect(meta()).toBe("3");
        const view = bench.backend.openView();
        expect([...view.scan("key")]).toHaveLength(2);
        view.close();
        expect(() => bench.put("d", "refused")).toThrow();
        expect(() => bench.delete("a")).toThrow();
      }
    }
    await bench.backend.replace(watched());
    expect(checked).toBe(9_001);
    expect(bench.keys()).toHaveLength(9_000);
  });

  it("leaves open views alone", async () => {
    await commitIndex(bench, "3");
    const view = bench.backend.openView();
    await bench.backend.replace(stream(entriesOf(...numberedKeys(5_000))));
    await bench.commitKeys("z");
    expect([...view.scan("key")].map(([key]) => utf8Text(key))).toEqual(["a", "b"]);
    expect(text(view.get("meta", utf8("consistent_index")))).toBe("3");
    view.close();
  });
}

function describeBrokenReplace(bench: Bench): void {
  const meta = () => appliedIndexOf(bench);

  it.each([0, 1, 5_000])("leaves no applied index if a crash comes after %i entries", async (count) => {
    await commitIndex(bench, "3");
    const [entries, taken] = endless([appliedIndex, ...entriesOf(...numberedKeys(count))]);
    const replaced = bench.backend.replace(entries).catch(() => {});
    await taken;
    await bench.restartAfterCrash();
    expect(meta()).toBeUndefined();
    expect(bench.get("a")).toBeUndefined();
    await replaced;
  });

  it("fails with the error of the entries, without an applied index, and can be done again", async () => {
    await commitIndex(bench, "3");
    async function* broken(): AsyncGenerator<ReplacementEntry> {
      yield appliedIndex;
      yield* entriesOf(...numberedKeys(3_000));
      throw new Error("The stream broke off");
    }
    await expect(bench.backend.replace(broken())).rejects.toThrow("The stream broke off");
    expect(meta()).toBeUndefined();
    await bench.backend.replace(stream([...entriesOf("b"), appliedIndex]));
    expect(bench.keys()).toEqual(["b"]);
    expect(meta()).toBe("9");
  });

  it("ends when the store is closed", async () => {
    const [entries, taken] = endless(entriesOf("a"));
    const replaced = bench.backend.replace(entries);
    const failed = expect(replaced).rejects.toThrow(/closed/);
    await taken;
    await bench.reopen();
    await failed;
  });
}

function describeClose(bench: Bench): void {
  it("loses what was not committed", async () => {
    await bench.commitKeys("a");
    bench.put("b", "2");
    await bench.reopen();
    expect(bench.keys()).toEqual(["a"]);
  });

  it("finishes a commit under way", async () => {
    bench.put("a", "1");
    const committed = bench.backend.commit();
    await bench.reopen();
    await committed;
    expect(bench.keys()).toEqual(["a"]);
  });
}

function describeSize(bench: Bench): void {
  it("reports more bytes in use for more data", async () => {
    await bench.commitKeys("a");
    const before = bench.backend.size();
    bench.backend.put("key", utf8("b"), new Uint8Array(1_000_000));
    await bench.backend.commit();
    const after = bench.backend.size();
    expect(after.inUseBytes).toBeGreaterThanOrEqual(before.inUseBytes + 1_000_000);
    expect(after.totalBytes).toBeGreaterThanOrEqual(after.inUseBytes);
  });

  it("reports less after what is deleted has been given back", async () => {
    bench.backend.put("key", utf8("b"), new Uint8Array(1_000_000));
    await bench.backend.commit();
    bench.delete("b");
    await bench.backend.commit();
    await bench.backend.defragment();
    expect(bench.backend.size().totalBytes).toBeLessThan(1_000_000);
  });

  it("keeps content, buffered writes and durability through a defragmentation", async () => {
    const keys = numberedKeys(500);
    await bench.commitKeys(...keys);
    for (const key of keys.slice(0, 400)) bench.delete(key);
    await bench.backend.commit();
    const defragmented = bench.backend.defragment();
    bench.put("z", "buffered");
    await defragmented;
    expect(bench.keys()).toEqual([...keys.slice(400), "z"]);
    await bench.backend.commit();
    await bench.restartAfterCrash();
    expect(bench.keys()).toEqual([...keys.slice(400), "z"]);
  });
}

async function behavesLikeModel(bench: Bench): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      await bench.tearDown();
      await bench.setUp();
      await runAgainstModel(bench, steps);
    }),
    { numRuns: 25 },
  );
}

async function runAgainstModel(bench: Bench, steps: readonly Step[]): Promise<void> {
  let model = new Map<string, string>();
  let durable = new Map<string, string>();
  const verbs: Record<Step["kind"], (step: Step) => unknown> = {
    put: ({ key, value }) => [bench.put(key, value), model.set(key, value)],
    delete: ({ key }) => [bench.delete(key), model.delete(key)],
    commit: () => {
      durable = new Map(model);
      return bench.backend.commit();
    },
    crash: () => {
      model = new Map(durable);
      return bench.restartAfterCrash();
    },
    defragment: () => bench.backend.defragment(),
  };
  for (const taken of steps) {
    await verbs[taken.kind](taken);
    const expected = [...model].sort(([left], [right]) => (left < right ? -1 : 1));
    expect(bench.entries()).toEqual(expected);
    expect(bench.entries({ reverse: true })).toEqual(expected.toReversed());
    expect(bench.get(taken.key)).toBe(model.get(taken.key));
  }
}

interface Step {
  readonly kind: "put" | "delete" | "commit" | "crash" | "defragment";
  readonly key: string;
  readonly value: string;
}

const kind = fc.oneof(
  { arbitrary: fc.constant("put" as const), weight: 8 },
  { arbitrary: fc.constant("delete" as const), weight: 4 },
  { arbitrary: fc.constant("commit" as const), weight: 3 },
  { arbitrary: fc.constant("crash" as const), weight: 1 },
  { arbitrary: fc.constant("defragment" as const), weight: 1 },
);
const step: fc.Arbitrary<Step> = fc.record({
  kind,
  key: fc.constantFrom("a", "ab", "b", "c", "d", "e"),
  value: fc.string({ maxLength: 3 }),
});

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : utf8Text(bytes);
}

function numberedKeys(count: number): string[] {
  return Array.from({ length: count }, (_, number) => String(number).padStart(4, "0"));
}
