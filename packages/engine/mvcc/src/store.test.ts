import { binaryString, concatBytes, hex, utf8, utf8Text } from "@conclave/base";
import {
  type RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  RangeResponse,
} from "@conclave/protocol/etcdserverpb";
import type { KeyValue } from "@conclave/protocol/mvccpb";
import { beforeEach, describe, expect, it } from "vitest";
import { createMemoryBackend, type MemoryBackend } from "./memory-backend.ts";
import { createMvccStore, type MvccStore } from "./store.ts";
import type { StoreEvent } from "./store-event.ts";
import { copyContent } from "./testing/copy-content.ts";
import { drain } from "./testing/drain.ts";
import { LeaseLedger } from "./testing/lease-ledger.ts";
import { all, compare, del, op, openEnd, put, range, txn } from "./testing/requests.ts";

let store: MvccStore;
let leases: LeaseLedger;

beforeEach(() => {
  leases = new LeaseLedger(7n);
  store = createMvccStore({ backend: createMemoryBackend(), leases });
});

const expectCode = (code: string) => expect.objectContaining({ code });
const keysOf = ({ kvs }: RangeResponse) => kvs.map(({ key }) => utf8Text(key)).join("");

/** Every row was seen on etcd 3.4.23 and 3.5.30. */
describe("range()", () => {
  beforeEach(() => {
    for (const [key, value] of ["a5", "b4", "c3", "d2", "e1"]) store.put(put(key ?? "", value));
    store.put(put("b", "4b"));
  });

  it.each<[string, Partial<RangeRequest>, string, boolean]>([
    ["a limit", { limit: 2n }, "ab", true],
    ["a limit that is just enough", { limit: 5n }, "abcde", false],
    ["a negative limit, which is none", { limit: -2n }, "abcde", false],
    ["the largest limit", { limit: 2n ** 63n - 1n }, "abcde", false],
    ["a descending order", { sortOrder: 2 }, "edcba", false],
    ["an ascending order of values", { sortOrder: 1, sortTarget: 4 }, "edcba", false],
    ["a descending order of values", { sortOrder: 2, sortTarget: 4 }, "abcde", false],
    ["an order of versions, equal ones by key", { sortOrder: 2, sortTarget: 1 }, "bacde", false],
    ["an order of creation", { sortOrder: 2, sortTarget: 2 }, "edcba", false],
    ["an order of modification", { sortOrder: 1, sortTarget: 3 }, "acdeb", false],
    ["an order and a limit", { limit: 2n, sortOrder: 1, sortTarget: 4 }, "ed", true],
    ["a target without an order, which sorts one more than the limit", { limit: 2n, sortTarget: 4 }, "cb", true],
    ["the count only", { countOnly: true, limit: 2n }, "", false],
    ["a lowest modification", { minModRevision: 4n }, "bcde", false],
    ["a lowest modification and a limit", { minModRevision: 4n, limit: 1n }, "b", true],
    ["a highest modification and a limit", { maxModRevision: 4n, limit: 1n }, "a", true],
    ["a lowest modification below zero", { minModRevision: -1n }, "abcde", false],
    ["a highest modification below zero", { maxModRevision: -1n }, "", false],
    ["the largest highest modification", { maxModRevision: 2n ** 63n - 1n }, "abcde", false],
    ["bounds of creation", { minCreateRevision: 3n, maxCreateRevision: 4n }, "bc", false],
  ])("with %s counts all keys", (_, options, keys, more) => {
    const response = store.range(all(options));
    expect(keysOf(response)).toBe(keys);
    expect(response).toMatchObject({ more, count: 5, header: { revision: 7 } });
  });

  it("reads at a revision, and names the current one in the header", () => {
    const response = store.range(all({ revision: 3n }));
    expect(keysOf(response)).toBe("ab");
    expect(response).toMatchObject({ count: 2, header: { revision: 7 } });
    expect(store.range(all({ revision: 1n }))).toMatchObject({ kvs: [], count: 0 });
  });

  it("refuses revisions to come, however large", () => {
    expect(() => store.range(all({ revision: 8n }))).toThrow(expectCode("FUTURE_REVISION"));
    expect(() => store.range(range("a", "", { revision: 2n ** 63n - 1n }))).toThrow(expectCode("FUTURE_REVISION"));
  });

  it("leaves values out on demand", () => {
    const { kvs } = store.range(range("a", "", { keysOnly: true }));
    expect(kvs[0]).toMatchObject({ version: 1, modRevision: 2, value: new Uint8Array(0) });
  });

  it("reads one key with every option that applies to it", () => {
    expect(store.range(range("a", "", { limit: 1n }))).toMatchObject({ count: 1, more: false });
    expect(store.range(range("a", "", { countOnly: true }))).toMatchObject({ kvs: [], count: 1 });
    expect(store.range(range("a", "", { minModRevision: 5n }))).toMatchObject({ kvs: [], count: 1 });
    expect(store.range(range("aa"))).toMatchObject({ kvs: [], count: 0 });
  });

  it("finds nothing in a range that ends before it starts", () => {
    expect(store.range(range("c", "a"))).toMatchObject({ kvs: [], count: 0, more: false });
  });

  it("orders keys as bytes", () => {
    const keys = [[0x00], [0x7f], [0x80], [0xc3, 0xa4], [0xff], [0xff, 0x00]].map((key) => Uint8Array.from(key));
    for (const key of keys.toReversed()) store.put({ ...put(""), key });
    const { kvs } = store.range({ ...all(), key: Uint8Array.of(0) });
    const found = kvs.map(({ key }) => binaryString(key)).filter((key) => !/^[a-e]$/.test(key));
    expect(found).toEqual(keys.map(binaryString));
  });
});

describe("rangeSlices()", () => {
  beforeEach(() => {
    for (let n = 0; n < 3_000; n++) store.put(put(String(n).padStart(4, "0")));
  });

  it("reads one revision whatever happens between slices", () => {
    const slices = store.rangeSlices(all());
    const keys: string[] = [];
    let slice = slices.next();
    for (let turn = 0; slice.done !== true; slice = slices.next(), turn++) {
      keys.push(...slice.value.map(({ key }) => utf8Text(key)));
      store.put(put(`0000${turn}`));
      store.deleteRange(del("2", openEnd));
    }
    expect(keys).toEqual(Array.from({ length: 3_000 }, (_, n) => String(n).padStart(4, "0")));
    expect(slice.value).toEqual({ count: 3_000, more: false });
  });

  it("keeps slices short", () => {
    for (const slice of store.rangeSlices(all())) expect(slice.length).toBeLessThanOrEqual(1_024);
  });

  it("ends a slice after about a megabyte", () => {
    for (let n = 0; n < 5; n++) store.put(put(`large ${n}`, "v".repeat(600_000)));
    const lengths = [...store.rangeSlices(range("large", "largf"))].map(({ length }) => length);
    expect(lengths.filter((length) => length > 0)).toEqual([2, 2, 1]);
  });

  it.each([
    ["as they are", {}],
    ["without values", { keysOnly: true }],
    ["sorted by value", { sortTarget: RangeRequest_SortTarget.VALUE, sortOrder: RangeRequest_SortOrder.DESCEND }],
    ["cut and filtered", { limit: 1_500n, minModRevision: 1_000n }],
  ])("gives the same encoded: pairs %s", (_, options) => {
    const kvs = drainKvs(store.rangeSlices(all(options)));
    expect(kvs.length).toBeGreaterThan(1_024);
    const encoded = concatBytes([...store.encodedRangeSlices(all(options))]);
    expect(hex(encoded)).toBe(hex(RangeResponse.encode(RangeResponse.fromPartial({ kvs })).finish()));
  });

  it("gives turns even where nothing is found", () => {
    for (let n = 0; n < 20_000; n++) store.put(put(`x${n}`));
    store.deleteRange(del("x", "y"));
    expect([...store.rangeSlices(range("x", "y"))].length).toBeGreaterThanOrEqual(2);
  });

  it("fails once its revision has been compacted", () => {
    const slices = store.rangeSlices(all());
    slices.next();
    store.put(put("later"));
    store.compact(store.currentRevision);
    expect(() => drain(slices)).toThrow(expectCode("COMPACTED"));
  });
});

describe("put()", () => {
  it("answers with the revision, and with the pair before on demand", () => {
    expect(store.put(put("a", "1", { prevKv: true }))).toEqual({
      header: { clusterId: 0n, memberId: 0n, revision: 2, raftTerm: 0 },
      prevKv: undefined,
    });
    expect(store.put(put("a", "2"))).toMatchObject({ prevKv: undefined });
    const { prevKv } = store.put(put("a", "3", { prevKv: true }));
    expect(prevKv).toMatchObject({ value: utf8("2"), version: 2, createRevision: 2, modRevision: 3 });
  });

  it("keeps the value or the lease of what was there", () => {
    store.put(put("a", "1", { lease: 7n }));
    store.put(put("a", "", { ignoreValue: true }));
    expect(store.range(range("a")).kvs[0]).toMatchObject({ value: utf8("1"), lease: 0n });
    store.put(put("a", "2", { lease: 7n }));
    store.put(put("a", "3", { ignoreLease: true }));
    expect(store.range(range("a")).kvs[0]).toMatchObject({ value: utf8("3"), lease: 7n });
  });

  it("refuses to keep what is not there, and an unknown lease before that", () => {
    expect(() => store.put(put("a", "", { ignoreValue: true }))).toThrow(expectCode("KEY_NOT_FOUND"));
    expect(() => store.put(put("a", "", { ignoreValue: true, lease: 8n }))).toThrow(expectCode("LEASE_NOT_FOUND"));
    expect(store.currentRevision).toBe(1);
  });

  it("moves the key from lease to lease", () => {
    store.put(put("a", "", { lease: 7n }));
    expect(leases.attached).toEqual(new Map([["a", 7n]]));
    store.put(put("a", "", { lease: 7n }));
    expect(leases.attached).toEqual(new Map([["a", 7n]]));
    store.put(put("a"));
    expect(leases.attached.size).toBe(0);
  });

  it("keeps negative lease ids as they are", () => {
    const negative = -(2n ** 63n);
    store = createMvccStore({ backend: createMemoryBackend(), leases: new LeaseLedger(negative) });
    store.put(put("a", "", { lease: negative }));
    expect(store.range(range("a")).kvs[0]?.lease).toBe(negative);
  });
});

describe("deleteRange() and deleteKeys()", () => {
  beforeEach(() => {
    for (const key of ["a", "b", "c"]) store.put(put(key, key, { lease: 7n }));
  });

  it("answer with what was deleted", () => {
    expect(store.deleteRange(del("b", openEnd, true))).toMatchObject({
      header: { revision: 5 },
      deleted: 2,
      prevKvs: [{ value: utf8("b") }, { value: utf8("c") }],
    });
    expect(store.deleteRange(del("b", openEnd, true))).toMatchObject({
      header: { revision: 5 },
      deleted: 0,
      prevKvs: [],
    });
  });

  it("take keys off their leases", () => {
    store.deleteRange(del("b"));
    expect([...leases.attached.keys()]).toEqual(["a", "c"]);
  });

  it("delete the keys of a lease in one revision, ascending, skipping what is gone", () => {
    const events: StoreEvent[] = [];
    store.onCommit((_, changes) => events.push(...changes));
    store.deleteRange(del("b"));
    expect(store.deleteKeys(["c", "b", "a", "none"])).toBe(2);
    expect(events.map(({ key, modRevision }) => `${key}@${modRevision}`)).toEqual(["b@5", "a@6", "c@6"]);
    expect(store.deleteKeys(["c", "b", "a"])).toBe(0);
    expect(store.currentRevision).toBe(6);
  });
});

describe("txn()", () => {
  it("gives each operation what stands there when its turn comes", () => {
    store.put(put("a"));
    const response = store.txn(
      txn({ success: [op.range("z"), op.put("z"), op.range("z"), op.del("a"), op.range("a")] }),
    );
    expect(response).toMatchObject({
      succeeded: true,
      header: { revision: 3 },
      responses: [
        { response: { $case: "responseRange", value: { count: 0, header: { revision: 2 } } } },
        { response: { $case: "responsePut", value: { header: { revision: 3 } } } },
        { response: { $case: "responseRange", value: { count: 1, header: { revision: 3 } } } },
        { response: { $case: "responseDeleteRange", value: { deleted: 1, header: { revision: 3 } } } },
        { response: { $case: "responseRange", value: { count: 0, header: { revision: 3 } } } },
      ],
    });
  });

  it("makes no revision if it changes nothing", () => {
    store.put(put("a"));
    const response = store.txn(txn({ success: [op.del("none"), op.range("a")] }));
    expect(response).toMatchObject({
      header: { revision: 2 },
      responses: [{ response: { value: { deleted: 0 } } }, {}],
    });
    expect(store.currentRevision).toBe(2);
  });

  it("decides all branches on what was there before", () => {
    const absent = compare("n", "=", { $case: "version", value: 0n });
    const inner = op.txn({ compare: [absent], success: [op.put("then"), op.range("n")], failure: [op.put("else")] });
    const response = store.txn(txn({ success: [op.put("n"), inner, op.range("then")] }));
    expect(response.responses[1]?.response).toMatchObject({
      $case: "responseTxn",
      value: { header: { revision: 0 }, succeeded: true, responses: [{}, { response: { value: { count: 1 } } }] },
    });
    expect(response.responses[2]?.response).toMatchObject({ value: { count: 1, header: { revision: 2 } } });
  });

  it.each([
    ["a lease that is not there", op.put("x", "", { lease: 8n }), "LEASE_NOT_FOUND"],
    ["a kept value that is not there", op.put("x", "", { ignoreValue: true }), "KEY_NOT_FOUND"],
    ["a kept value before a lease", op.put("x", "", { ignoreValue: true, lease: 8n }), "KEY_NOT_FOUND"],
    ["a revision to come", op.range("a", "", { revision: 9n }), "FUTURE_REVISION"],
    ["a compacted revision", op.range("a", "", { revision: 1n }), "COMPACTED"],
    ["a revision below zero", op.range("a", "", { revision: -2n }), "COMPACTED"],
  ])("writes nothing if it fails by %s, even nested", (_, operation, code) => {
    store.put(put("a"));
    store.put(put("a"));
    store.compact(2);
    const request = txn({ success: [op.put("first"), op.txn({ success: [operation] })] });
    expect(() => store.txn(request)).toThrow(expectCode(code));
    expect(store.currentRevision).toBe(3);
    expect(store.range(range("first")).count).toBe(0);
  });

  it("checks puts before ranges, and the branch taken only", () => {
    const future = op.range("a", "", { revision: 9n });
    const unleased = op.put("x", "", { lease: 8n });
    expect(() => store.txn(txn({ success: [future, unleased] }))).toThrow(expectCode("LEASE_NOT_FOUND"));
    expect(store.txn(txn({ failure: [future, unleased] })).succeeded).toBe(true);
  });
});

/** Every row was seen on etcd 3.4.23 and 3.5.30. */
describe("compares of txn()", () => {
  const succeeds = (...comparisons: ReturnType<typeof compare>[]) => store.txn(txn({ compare: comparisons })).succeeded;

  beforeEach(() => {
    store.put(put("a", "m")); // 2
    store.put(put("b", "n", { lease: 7n })); // 3
    store.put(put("a", "m")); // 4
  });

  it.each([
    ["=", "a", { $case: "version", value: 2n }],
    ["!=", "a", { $case: "version", value: 1n }],
    ["<", "a", { $case: "createRevision", value: 3n }],
    [">", "a", { $case: "modRevision", value: 3n }],
    ["<", "a", { $case: "modRevision", value: 2n ** 63n - 1n }],
    ["=", "a", { $case: "value", value: utf8("m") }],
    [">", "a", { $case: "value", value: utf8("lzz") }],
    ["<", "a", { $case: "value", value: utf8("ma") }],
    ["=", "b", { $case: "lease", value: 7n }],
    ["=", "a", { $case: "lease", value: 0n }],
    ["=", "none", { $case: "version", value: 0n }],
    ["=", "none", { $case: "createRevision", value: 0n }],
    [">", "none", { $case: "modRevision", value: -1n }],
  ] as const)("hold: %s for %s and %o", (result, key, operand) => {
    expect(succeeds(compare(key, result, operand))).toBe(true);
  });

  it.each([
    ["<", "a", { $case: "version", value: 2n }],
    [">", "a", { $case: "version", value: 2n }],
    ["!=", "a", { $case: "value", value: utf8("m") }],
    ["=", "none", { $case: "value", value: utf8("") }],
    ["!=", "none", { $case: "value", value: utf8("u") }],
  ] as const)("do not hold: %s for %s and %o", (result, key, operand) => {
    expect(succeeds(compare(key, result, operand))).toBe(false);
  });

  it("hold for a range if they hold for each of its keys, and for one without keys as for a key that is not there", () => {
    expect(succeeds(compare("a", ">", { $case: "createRevision", value: 1n }, openEnd))).toBe(true);
    expect(succeeds(compare("a", ">", { $case: "createRevision", value: 2n }, openEnd))).toBe(false);
    expect(succeeds(compare("p", "=", { $case: "version", value: 0n }, "q"))).toBe(true);
    expect(succeeds(compare("p", "=", { $case: "value", value: utf8("") }, "q"))).toBe(false);
  });

  it("must all hold", () => {
    const held = compare("a", "=", { $case: "version", value: 2n });
    const failed = compare("b", "=", { $case: "version", value: 2n });
    expect(succeeds(held, held)).toBe(true);
    expect(succeeds(held, failed)).toBe(false);
  });

  it("take an operand of another kind as zero, and know no unknown kinds", () => {
    const operand = { $case: "value", value: utf8("q") } as const;
    expect(succeeds({ ...compare("none", "=", operand), target: 0 })).toBe(true);
    expect(succeeds({ ...compare("a", "=", operand), ...({ target: 9 } as object) })).toBe(true);
    expect(succeeds({ ...compare("a", "=", operand), ...({ result: 9 } as object) })).toBe(true);
  });
});

describe("commits", () => {
  it("are told once each, with their changes in order, after they can be read", () => {
    const told: string[] = [];
    store.onCommit((revision, events) => {
      const changes = events.map(({ type, key, kv }) => `${type} ${key}=${utf8Text(kv.value)}`);
      told.push(`${revision}/${store.currentRevision}: ${changes.join(", ")}`);
    });
    store.put(put("a", "1"));
    store.txn(txn({ success: [op.put("b", "2"), op.del("a"), op.del("none")] }));
    store.deleteRange(del("none"));
    expect(told).toEqual(["2/2: put a=1", "3/3: put b=2, delete a="]);
  });

  it("carry the bytes of the pair as a response holds them", () => {
    const events: StoreEvent[] = [];
    store.onCommit((_, changes) => events.push(...changes));
    store.put(put("a", "1"));
    store.deleteRange(del("a"));
    expect(events.map(({ kv }) => kv)).toMatchObject([
      { key: utf8("a"), value: utf8("1"), createRevision: 2, modRevision: 2, version: 1 },
      { key: utf8("a"), value: new Uint8Array(0), createRevision: 0, modRevision: 3, version: 0 },
    ]);
    expect(events[1]?.prevKv()).toMatchObject({ value: utf8("1"), modRevision: 2 });
  });
});

describe("hash()", () => {
  it("covers all buckets but for what may differ without a difference in content", async () => {
    const backend = createMemoryBackend();
    store = createMvccStore({ backend, leases });
    const before = drain(store.hash());
    backend.put("meta", utf8("consistent_index"), utf8("1"));
    backend.put("meta", utf8("term"), utf8("1"));
    backend.put("meta", utf8("storageVersion"), utf8("3.6.0"));
    expect(drain(store.hash())).toBe(before);
    backend.put("meta", utf8("confState"), utf8("{}"));
    const withMeta = drain(store.hash());
    expect(withMeta).not.toBe(before);
    backend.put("alarm", utf8("x"), utf8(""));
    expect(drain(store.hash())).not.toBe(withMeta);
  });
});

describe("hashKv()", () => {
  it("starts again when a compaction comes in between, and fails if its revision is gone", () => {
    for (let n = 0; n < 5_000; n++) store.put(put(`k${n % 100}`, String(n)));
    const kept = store.hashKv(0);
    const gone = store.hashKv(3_000);
    kept.next();
    gone.next();
    store.compact(4_000);
    const hash = drain(kept);
    expect(hash).toMatchObject({ compactRevision: 4_000, hashRevision: 5_001 });
    expect(() => drain(gone)).toThrow(expectCode("COMPACTED"));
    while (store.compactStep());
    expect(drain(store.hashKv(5_001))).toEqual(hash);
  });

  it("remembers what the last ten compactions found", () => {
    for (let n = 0; n < 20; n++) store.put(put("a", String(n)));
    const before = drain(store.hashKv(3));
    for (let revision = 3; revision < 14; revision++) {
      store.compact(revision);
      while (store.compactStep());
    }
    expect(() => drain(store.hashKv(3))).toThrow(expectCode("COMPACTED"));
    expect(drain(store.hashKv(4))).toMatchObject({ compactRevision: 3, hashRevision: 4 });
    expect(before).toMatchObject({ compactRevision: -1, hashRevision: 3 });
  });
});

describe("eventsBetween()", () => {
  const query = { fromRevision: 1, toRevision: 100, accepts: () => true };

  it("stops at the end of the revision in which the limit is reached", () => {
    store.put(put("a"));
    store.txn(txn({ success: [op.put("b"), op.put("c"), op.put("d")] }));
    store.put(put("e"));
    const first = store.eventsBetween({ ...query, limit: 2 });
    expect(first.events.map(({ key }) => key)).toEqual(["a", "b", "c", "d"]);
    expect(first.nextRevision).toBe(4);
    const rest = store.eventsBetween({ ...query, fromRevision: 4, limit: 2 });
    expect(rest.events.map(({ key }) => key)).toEqual(["e"]);
    expect(rest.nextRevision).toBe(100);
  });

  it("counts what is not accepted too, so that a slice stays short", () => {
    for (let n = 0; n < 10; n++) store.put(put("a"));
    const slice = store.eventsBetween({ ...query, accepts: () => false, limit: 4 });
    expect(slice).toEqual({ events: [], nextRevision: 6 });
  });
});

describe("createMvccStore()", () => {
  it("attaches what it finds to leases that exist, by the newest revision of each key", async () => {
    const backend = createMemoryBackend();
    store = createMvccStore({ backend, leases: new LeaseLedger(7n, 8n) });
    store.put(put("old", "", { lease: 7n }));
    store.put(put("old"));
    store.put(put("gone", "", { lease: 7n }));
    store.deleteRange(del("gone"));
    store.put(put("kept", "", { lease: 7n }));
    store.put(put("revoked", "", { lease: 8n }));
    await backend.commit();
    const reopened = new LeaseLedger(7n);
    createMvccStore({ backend: backend.crash(), leases: reopened });
    expect(reopened.attached).toEqual(new Map([["kept", 7n]]));
  });
});

describe("reload()", () => {
  let backend: MemoryBackend;
  let aheadBackend: MemoryBackend;
  let ahead: MvccStore;

  beforeEach(async () => {
    backend = createMemoryBackend();
    store = createMvccStore({ backend, leases });
    for (let n = 0; n < 5_000; n++) store.put(put(`key ${String(n).padStart(4, "0")}`, "old"));
    aheadBackend = createMemoryBackend();
    await copyContent(backend, aheadBackend);
    ahead = createMvccStore({ backend: aheadBackend, leases: new LeaseLedger(7n) });
  });

  async function replaceContent(): Promise<Generator<void, void>> {
    await copyContent(aheadBackend, backend);
    leases.attached.clear();
    return store.reload();
  }

  it("takes many slices, of which the last one alone moves the current revision", async () => {
    ahead.put(put("new"));
    const steps = await replaceContent();
    let slices = 0;
    while (steps.next().done !== true) {
      slices++;
      expect(store.currentRevision).toBe(5_001);
    }
    expect(slices).toBeGreaterThan(8);
    expect(store.currentRevision).toBe(5_002);
    expect(store.range(range("new")).kvs).toHaveLength(1);
  });

  it("lets a read in slices that has begun go on with what it saw", async () => {
    const reading = store.rangeSlices(all({ limit: 2_500n }));
    const before = drainKvs(store.rangeSlices(all({ limit: 2_500n })));
    const kvs = reading.next().value;
    for (let n = 0; n < 5_000; n += 3) ahead.put(put(`key ${String(n).padStart(4, "0")}`, "new"));
    const steps = await replaceContent();
    while (steps.next().done !== true);
    expect([...(Array.isArray(kvs) ? kvs : []), ...drainKvs(reading)]).toEqual(before);
  });

  it("ends a read in slices of what the new content does not have any more", async () => {
    const reading = store.rangeSlices(all());
    reading.next();
    ahead.put(put("key 4999", "new"));
    ahead.compact(ahead.currentRevision);
    while (ahead.compactStep());
    const behind = store.rangeSlices(all());
    behind.next();
    const steps = await replaceContent();
    expect(() => drain(behind)).toThrow(expectCode("COMPACTED"));
    steps.next();
    expect(() => drain(reading)).toThrow(expectCode("COMPACTED"));
    while (steps.next().done !== true);
  });

  it("forgets the pairs that it has kept: what was damaged may have been replaced by what is right", async () => {
    const stored = () => Buffer.from(store.range(range("key 0000")).kvs[0]?.value ?? []).toString();
    expect(stored()).toBe("old");
    aheadBackend = createMemoryBackend();
    ahead = createMvccStore({ backend: aheadBackend, leases: new LeaseLedger(7n) });
    ahead.put(put("key 0000", "right"));
    const steps = await replaceContent();
    while (steps.next().done !== true);
    expect(stored()).toBe("right");
  });

  it("forgets a compaction under way and takes up the one that it finds", async () => {
    store.compact(10);
    store.compactStep(1);
    await copyContent(backend, aheadBackend);
    ahead = createMvccStore({ backend: aheadBackend, leases: new LeaseLedger(7n) });
    ahead.put(put("key 0000", "new"));
    ahead.compact(ahead.currentRevision);
    const steps = await replaceContent();
    steps.next();
    expect(store.compactStep(1)).toBe(false);
    while (steps.next().done !== true);
    expect(store.compactRevision).toBe(5_002);
    while (store.compactStep());
    expect([...backend.scan("key")]).toHaveLength(5_000);
  });
});

function drainKvs(slices: ReturnType<MvccStore["rangeSlices"]>): KeyValue[] {
  return [...slices].flat();
}
