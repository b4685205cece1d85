import { seededRandom } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { type HistoryEvent, HistoryRecorder, operationsOf } from "./history.ts";
import { checkKvLinearizability } from "./kv-linearizability.ts";
import type { KvAnswer, KvEvent, KvItem, KvOperation, KvResult } from "./kv-operation.ts";
import { checkKvOrder, type KvOrderRule } from "./kv-order.ts";
import { anyMutation, withoutRevisions } from "./testing/mutations.ts";
import { randomRun } from "./testing/random-run.ts";

type History = readonly HistoryEvent<KvOperation, KvAnswer>[];

interface Run {
  readonly history: History;
  readonly events: readonly KvEvent[];
}

function item(key: string, value: string, revision: number, options: Partial<KvItem> = {}): KvItem {
  return { key, value, createRevision: revision, modRevision: revision, version: 1, ...options };
}

const a1 = item("a", "1", 2);
const b2 = item("b", "2", 3);
const a3 = item("a", "3", 4, { createRevision: 2, version: 2 });

/** Writes at revisions 2, 3 and 4, a deletion at 5 by the end of a lease, and reads in between, one after the other. */
function goodRun(): Run {
  const recorder = new HistoryRecorder<KvOperation, KvAnswer>({ monotonicMs: () => 0 });
  const call = (client: string, operation: KvOperation, revision: number, result: KvResult) =>
    recorder.returned(recorder.invoke(client, operation), { revision, result });
  const every = { key: "\0", rangeEnd: "\0" };
  call("x", { kind: "put", key: "a", value: "1" }, 2, { kind: "put" });
  call("y", { kind: "put", key: "b", value: "2", lease: "7" }, 3, { kind: "put" });
  call("x", { kind: "get", ...every }, 3, { kind: "get", items: [a1, { ...b2, lease: "7" }], count: 2 });
  call("y", { kind: "get", key: "a", serializable: true }, 3, { kind: "get", items: [a1], count: 1 });
  recorder.unknown(recorder.invoke("z", { kind: "put", key: "a", value: "3" }));
  call("x", { kind: "get", key: "a" }, 4, { kind: "get", items: [a3], count: 1 });
  call("y", { kind: "delete", key: "c" }, 4, { kind: "delete", deleted: 0 });
  call("x", { kind: "get", ...every }, 5, { kind: "get", items: [a3], count: 1 });
  const events: readonly KvEvent[] = [
    { type: "put", item: a1 },
    { type: "put", item: { ...b2, lease: "7" } },
    { type: "put", item: a3 },
    { type: "delete", key: "b", revision: 5 },
  ];
  return { history: recorder.events, events };
}

function check({ history, events }: Run) {
  return checkKvOrder({ operations: operationsOf(history), events });
}

function rulesBroken(run: Run): readonly KvOrderRule[] {
  const { verdict } = check(run);
  return verdict.kind === "ok" ? [] : verdict.violations.map(({ rule }) => rule);
}

/** The run with the answer of its n-th operation changed. */
function withAnswer({ history, events }: Run, id: number, change: (answer: KvAnswer) => KvAnswer): Run {
  const changed = history.map((event) =>
    event.type === "return" && event.id === id ? { ...event, answer: change(event.answer) } : event,
  );
  return { history: changed, events };
}

describe("a run as it should be", { timeout: 60_000 }, () => {
  test("is accepted, and each revision has its writer", () => {
    const { verdict, writers } = check(goodRun());
    expect(verdict).toEqual({ kind: "ok", checked: 11 });
    expect([...writers].sort(([left], [right]) => left - right)).toEqual([
      [2, { kind: "operation", id: 1 }],
      [3, { kind: "operation", id: 2 }],
      [4, { kind: "operation", id: 5 }],
      [5, { kind: "lease", lease: "7" }],
    ]);
  });

  test("is accepted when it goes on from a state that was there before", () => {
    const { history, events } = goodRun();
    const operations = operationsOf(history).slice(1);
    const { verdict } = checkKvOrder({ operations, events: events.slice(1), revision: 2, items: [a1] });
    expect(verdict.kind).toBe("ok");
  });

  test("is accepted whatever clients did, with answers lost and leases ended", () => {
    for (let seed = 1; seed <= 150; seed++) {
      const run = randomRun({ seed, operations: 100, unknownPercent: 15 });
      expect({ seed, rules: rulesBroken(run) }).toEqual({ seed, rules: [] });
    }
  });

  test("is accepted when its reads were told no revision", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const { history, events } = randomRun({ seed, operations: 60, leases: false });
      const reads = new Set(
        history.flatMap((each) => (each.type === "invoke" && each.operation.kind === "get" ? [each.id] : [])),
      );
      const blind = withoutRevisions(history);
      const seen = history.map((event, at) => (reads.has(event.id) ? (blind[at] ?? event) : event));
      expect({ seed, rules: rulesBroken({ history: seen, events }) }).toEqual({ seed, rules: [] });
    }
  });
});

describe("a run with a fault is rejected, by the name of the fault:", { timeout: 60_000 }, () => {
  const faults: readonly { readonly name: string; readonly rule: KvOrderRule; readonly spoil: (run: Run) => Run }[] = [
    {
      name: "a watch that loses an event",
      rule: "event-gap",
      spoil: ({ history, events }) => ({ history, events: events.toSpliced(1, 1) }),
    },
    {
      name: "a watch that tells events out of order",
      rule: "event-order",
      spoil: ({ history, events }) => ({
        history,
        events: [events[1], events[0], ...events.slice(2)].filter((e) => e !== undefined),
      }),
    },
    {
      name: "a watch that tells an event twice",
      rule: "event-order",
      spoil: ({ history, events }) => ({
        history,
        events: events.flatMap((event, at) => (at === 1 ? [event, event] : [event])),
      }),
    },
    {
      name: "a version that is not the next",
      rule: "event-content",
      spoil: ({ history, events }) => ({
        history,
        events: events.toSpliced(2, 1, { type: "put", item: { ...a3, version: 3 } }),
      }),
    },
    {
      name: "an acknowledged write that is gone",
      rule: "lost-write",
      spoil: (run) => withAnswer({ ...run, events: run.events.slice(0, 1) }, 2, (answer) => answer),
    },
    {
      name: "an acknowledged write with another content",
      rule: "wrong-content",
      spoil: ({ history, events }) => ({
        history,
        events: events.toSpliced(0, 1, { type: "put", item: { ...a1, value: "x" } }),
      }),
    },
    {
      name: "two writes acknowledged at one revision",
      rule: "written-twice",
      spoil: (run) => withAnswer(run, 2, (answer) => ({ ...answer, revision: 2 })),
    },
    {
      name: "a write that nobody asked for",
      rule: "nobody-wrote",
      spoil: ({ history, events }) => ({ history, events: [...events, { type: "put", item: item("ghost", "", 6) }] }),
    },
    {
      name: "a write of unknown outcome that took effect twice",
      rule: "nobody-wrote",
      spoil: ({ history, events }) => ({
        history,
        events: [...events, { type: "put", item: { ...a3, modRevision: 6, version: 3 } }],
      }),
    },
    {
      name: "a write of unknown outcome that took effect before it was sent",
      rule: "nobody-wrote",
      spoil: ({ history, events }) => ({
        history: [...history.filter(({ id }) => id !== 5), ...history.filter(({ id }) => id === 5)],
        events,
      }),
    },
    {
      name: "the end of a lease that leaves one of its keys",
      rule: "nobody-wrote",
      spoil: ({ history, events }) => ({
        history,
        events: events.map((event) =>
          event.type === "put" && event.item === a3 ? { type: "put", item: { ...a3, lease: "7" } } : event,
        ),
      }),
    },
    {
      name: "a range that lacks a key",
      rule: "wrong-answer",
      spoil: (run) => withAnswer(run, 3, (answer) => ({ ...answer, result: { kind: "get", items: [a1], count: 1 } })),
    },
    {
      name: "a deletion that says it found nothing, and should have",
      rule: "wrong-answer",
      spoil: ({ history, events }) => ({
        history: history.map((event) =>
          event.type === "invoke" && event.operation.kind === "delete"
            ? { ...event, operation: { kind: "delete", key: "a" } }
            : event,
        ),
        events,
      }),
    },
    {
      name: "a stale read",
      rule: "real-time",
      spoil: (run) =>
        withAnswer(run, 6, (answer) => ({ ...answer, revision: 2, result: { kind: "get", items: [a1], count: 1 } })),
    },
    {
      name: "a serializable read that goes back behind what its session saw",
      rule: "session-order",
      spoil: (run) => withAnswer(run, 4, (answer) => ({ ...answer, revision: 2 })),
    },
    {
      name: "a read of a revision that does not exist",
      rule: "future-revision",
      spoil: (run) => withAnswer(run, 8, (answer) => ({ ...answer, revision: 6 })),
    },
  ];

  test.each(faults)("$name: $rule", ({ rule, spoil }) => {
    expect(rulesBroken(spoil(goodRun()))).toContain(rule);
  });

  test("whatever the search for an order rejects, this rejects too", () => {
    let rejected = 0;
    for (let seed = 1; seed <= 800; seed++) {
      const random = seededRandom(seed);
      const { history, events } = randomRun({ seed, operations: 20, keys: 3, values: 3, leases: false });
      const spoilt = anyMutation(random)(history, random);
      if (checkKvLinearizability(operationsOf(spoilt)).kind !== "violated") continue;
      rejected += 1;
      if (rulesBroken({ history: spoilt, events }).length === 0) expect.fail(`SEED=${seed}: accepted`);
    }
    expect(rejected).toBeGreaterThan(150);
  });
});

test("the answer to a write must have a revision", () => {
  const run = withAnswer(goodRun(), 1, (answer) => ({ ...answer, revision: 0 }));
  expect(() => check(run)).toThrow(TypeError);
});

describe("of a store that others write to as well, a range of keys", () => {
  const first = item("r/a", "1", 10);
  const second = item("r/a", "2", 20, { createRevision: 10, version: 2 });
  const events: readonly KvEvent[] = [
    { type: "put", item: first },
    { type: "put", item: second },
  ];
  const history = () => {
    const recorder = new HistoryRecorder<KvOperation, KvAnswer>({ monotonicMs: () => 0 });
    const call = (operation: KvOperation, revision: number, result: KvResult) =>
      recorder.returned(recorder.invoke("x", operation), { revision, result });
    call({ kind: "put", key: "r/a", value: "1" }, 10, { kind: "put" });
    call({ kind: "get", key: "r/a" }, 15, { kind: "get", items: [first], count: 1 });
    call({ kind: "put", key: "r/a", value: "2" }, 20, { kind: "put" });
    call({ kind: "get", key: "r/a" }, 27, { kind: "get", items: [second], count: 1 });
    return operationsOf(recorder.events);
  };
  const rules = (input: Partial<Parameters<typeof checkKvOrder>[0]>): readonly KvOrderRule[] => {
    const { verdict } = checkKvOrder({ operations: history(), events, revision: 7, isPartial: true, ...input });
    return verdict.kind === "ok" ? [] : verdict.violations.map(({ rule }) => rule);
  };

  test("is accepted with the revisions of others between its own and after them", () => {
    expect(rules({})).toEqual([]);
    expect(rules({ isPartial: false })).toEqual(["event-gap", "event-gap"]);
  });

  test("is rejected for an acknowledged write that has no event", () => {
    expect(rules({ events: events.slice(0, 1) })).toContain("lost-write");
    expect(rules({ events: events.slice(1) })).toContain("event-content");
  });

  test("is rejected for an event that nobody wrote", () => {
    const foreign: KvEvent = { type: "put", item: item("r/b", "9", 12) };
    expect(rules({ events: events.toSpliced(1, 0, foreign) })).toEqual(["nobody-wrote"]);
  });

  test("is rejected for a read of what was there before an acknowledged write", () => {
    const [put, read, write, last] = history();
    if (put === undefined || read === undefined || write === undefined || last?.returned === undefined)
      throw new Error("the history has four operations");
    const answer = { revision: 19, result: { kind: "get", items: [first], count: 1 } } as const;
    const stale = { ...last, returned: { ...last.returned, answer } };
    expect(rules({ operations: [put, read, write, stale] })).toEqual(["real-time"]);
  });
});
