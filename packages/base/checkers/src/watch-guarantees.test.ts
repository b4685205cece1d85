import { seededRandom } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { eventKey, eventRevision, inRange, type KvEvent, type KvItem } from "./kv-operation.ts";
import { randomRun } from "./testing/random-run.ts";
import { checkWatch, type WatchInput, type WatchRecord, type WatchRule } from "./watch-guarantees.ts";

function item(key: string, value: string, revision: number, options: Partial<KvItem> = {}): KvItem {
  return { key, value, createRevision: revision, modRevision: revision, version: 1, ...options };
}

const a2 = item("a", "1", 2);
const b2 = item("b", "2", 2);
const a4 = item("a", "3", 4, { createRevision: 2, version: 2 });
const putA2: KvEvent = { type: "put", item: a2 };
const putB2: KvEvent = { type: "put", item: b2 };
const elsewhere: KvEvent = { type: "put", item: item("z", "", 3) };
const putA4: KvEvent = { type: "put", item: a4, previous: a2 };
const deleteB5: KvEvent = { type: "delete", key: "b", revision: 5, previous: b2 };
const putA6: KvEvent = {
  type: "put",
  item: item("a", "4", 6, { createRevision: 2, version: 3 }),
  previous: a4,
};
const history = [putA2, putB2, elsewhere, putA4, deleteB5, putA6];

const first: WatchRecord = { kind: "response", revision: 3, events: [putA2, putB2] };
const second: WatchRecord = { kind: "response", revision: 5, events: [putA4, deleteB5] };
const third: WatchRecord = { kind: "response", revision: 6, events: [putA6] };
const goodRecords: readonly WatchRecord[] = [
  first,
  { kind: "bookmark", revision: 3 },
  second,
  { kind: "resumed", startRevision: 6 },
  third,
];
const request = { key: "a", rangeEnd: "c", startRevision: 2, previous: true };
const good: WatchInput = { request, records: goodRecords, history, through: 6 };

function rulesBroken(input: WatchInput): readonly WatchRule[] {
  const verdict = checkWatch(input);
  return verdict.kind === "ok" ? [] : verdict.violations.map(({ rule }) => rule);
}

describe("a watch as it should be is accepted", { timeout: 60_000 }, () => {
  test("with bookmarks, resumed, and with the values before", () => {
    expect(checkWatch(good)).toEqual({ kind: "ok", checked: 10 });
  });

  test("when it is resumed at a revision that it was told already, and told it again", () => {
    const records: readonly WatchRecord[] = [first, second, { kind: "resumed", startRevision: 4 }, second, third];
    expect(rulesBroken({ ...good, records })).toEqual([]);
  });

  test("in fragments, if it asked for them", () => {
    const records: readonly WatchRecord[] = [
      { kind: "response", revision: 3, events: [putA2], fragment: true },
      { kind: "response", revision: 3, events: [putB2] },
      second,
      third,
    ];
    expect(rulesBroken({ ...good, records, request: { ...request, fragment: true } })).toEqual([]);
    expect(rulesBroken({ ...good, records })).toEqual(["atomic"]);
  });

  test("without the events that it did not want", () => {
    const records: readonly WatchRecord[] = [{ kind: "response", revision: 6, events: [deleteB5] }];
    expect(rulesBroken({ ...good, records, request: { ...request, without: "put" } })).toEqual([]);
  });

  test("when it ends as what it needs has been compacted", () => {
    const records: readonly WatchRecord[] = [first, { kind: "compacted", compactRevision: 5 }];
    expect(rulesBroken({ ...good, records })).toEqual([]);
  });

  test("without the value before, if that is compacted", () => {
    const bare: KvEvent = { type: "put", item: a4 };
    const records: readonly WatchRecord[] = [first, { kind: "response", revision: 5, events: [bare, deleteB5] }, third];
    expect(rulesBroken({ ...good, records, compactRevision: 4 })).toEqual([]);
    expect(rulesBroken({ ...good, records })).toEqual(["previous"]);
  });

  test("whatever happened to it", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const { events } = randomRun({ seed, operations: 80 });
      expect({ seed, rules: rulesBroken(randomWatch(events, seed)) }).toEqual({ seed, rules: [] });
    }
  });
});

describe("a watch with a fault is rejected, by the name of the fault:", { timeout: 60_000 }, () => {
  const faults: readonly { readonly name: string; readonly rule: WatchRule; readonly spoilt: Partial<WatchInput> }[] = [
    { name: "revisions out of order", rule: "order", spoilt: { records: [second, first, third] } },
    {
      name: "events of a revision out of order",
      rule: "order",
      spoilt: { records: [{ kind: "response", revision: 3, events: [putB2, putA2] }, second, third] },
    },
    { name: "an event told twice", rule: "unique", spoilt: { records: [first, second, second, third] } },
    {
      name: "a revision told in two responses",
      rule: "atomic",
      spoilt: {
        records: [
          { kind: "response", revision: 3, events: [putA2] },
          { kind: "response", revision: 3, events: [putB2] },
          second,
          third,
        ],
      },
    },
    { name: "a response lost", rule: "gap", spoilt: { records: [first, third] } },
    {
      name: "an event lost",
      rule: "gap",
      spoilt: { records: [first, { kind: "response", revision: 5, events: [deleteB5] }, third] },
    },
    { name: "the last event never told", rule: "gap", spoilt: { records: [first, second] } },
    {
      name: "resumed too far on",
      rule: "resume",
      spoilt: { records: [first, { kind: "resumed", startRevision: 6 }, third] },
    },
    {
      name: "a bookmark given too early",
      rule: "bookmark",
      spoilt: { records: [first, { kind: "bookmark", revision: 5 }], through: 3 },
    },
    {
      name: "an event that a bookmark had ruled out",
      rule: "bookmark",
      spoilt: { records: [first, { kind: "bookmark", revision: 5 }, second, third] },
    },
    {
      name: "an event that did not happen",
      rule: "content",
      spoilt: {
        records: [
          ...goodRecords,
          { kind: "response", revision: 7, events: [{ type: "put", item: item("a", "x", 7) }] },
        ],
      },
    },
    {
      name: "an event with another value",
      rule: "content",
      spoilt: {
        records: [
          { kind: "response", revision: 3, events: [{ type: "put", item: { ...a2, value: "x" } }, putB2] },
          second,
          third,
        ],
      },
    },
    {
      name: "an event of another range",
      rule: "content",
      spoilt: { records: [first, { kind: "response", revision: 3, events: [elsewhere] }, second, third] },
    },
    {
      name: "an event before the start",
      rule: "content",
      spoilt: { request: { ...request, startRevision: 4 }, records: [first, second, third] },
    },
    {
      name: "a value before that was not there",
      rule: "previous",
      spoilt: {
        records: [first, { kind: "response", revision: 5, events: [{ ...putA4, previous: b2 }, deleteB5] }, third],
      },
    },
    {
      name: "a header of an older revision than its events",
      rule: "header",
      spoilt: { records: [first, { kind: "response", revision: 4, events: [putA4, deleteB5] }, third] },
    },
    {
      name: "ended as compacted without need",
      rule: "cancel",
      spoilt: { records: [first, second, { kind: "compacted", compactRevision: 5 }] },
    },
  ];

  test.each(faults)("$name: $rule", ({ rule, spoilt }) => {
    expect(rulesBroken({ ...good, ...spoilt })).toContain(rule);
  });

  test("any event left out, told again or changed", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const { events } = randomRun({ seed, operations: 40, keys: 3 });
      const right = randomWatch(events, seed);
      const random = seededRandom(seed);
      const responses = right.records.flatMap((record, at) => (record.kind === "response" ? [at] : []));
      const at = responses[random.below(Math.max(1, responses.length))];
      if (at === undefined) continue;
      const record = right.records[at];
      if (record === undefined) continue;
      const lost = right.records.toSpliced(at, 1);
      const told = right.records.toSpliced(at, 0, record);
      expect({ seed, rules: rulesBroken({ ...right, records: lost }) }).not.toEqual({ seed, rules: [] });
      expect({ seed, rules: rulesBroken({ ...right, records: told }) }).not.toEqual({ seed, rules: [] });
    }
  });
});

/** What a watch of a random range is told that is never resumed behind what it was told, with responses cut anywhere. */
function randomWatch(events: readonly KvEvent[], seed: number): WatchInput {
  const random = seededRandom(seed);
  const last = events.reduce((newest, event) => Math.max(newest, eventRevision(event)), 1);
  const startRevision = 1 + random.below(last);
  const range = { key: `key-${random.below(3)}`, rangeEnd: "key-9" };
  const records: WatchRecord[] = [];
  let batch: KvEvent[] = [];
  const flush = (revision: number) => {
    if (batch.length > 0) records.push({ kind: "response", revision: revision + random.below(3), events: batch });
    batch = [];
  };
  for (let revision = startRevision; revision <= last; revision++) {
    batch.push(...events.filter((event) => eventRevision(event) === revision && inRange(eventKey(event), range)));
    const die = random.below(10);
    if (die < 5) flush(revision);
    if (die === 0) records.push({ kind: "bookmark", revision });
    if (die === 1) records.push({ kind: "resumed", startRevision: revision + 1 });
  }
  flush(last);
  return { request: { ...range, startRevision, previous: true }, records, history: events, through: last };
}
