import { describe, expect, test } from "vitest";
import { HistoryRecorder, operationsOf } from "./history.ts";
import { checkKvLinearizability, linearizabilityText } from "./kv-linearizability.ts";
import { compareAndSwap, type KvAnswer, type KvItem, type KvOperation, type KvResult } from "./kv-operation.ts";
import { checkLinearizability, type Model } from "./linearizability.ts";
import { randomRun } from "./testing/random-run.ts";

/** A history in the order of its lines: `begin` sends an operation, `end` hears of it. */
class Script {
  readonly #recorder = new HistoryRecorder<KvOperation, KvAnswer>({ monotonicMs: () => 0 });
  readonly #open = new Map<string, number>();

  begin(client: string, operation: KvOperation): this {
    this.#open.set(client, this.#recorder.invoke(client, operation));
    return this;
  }

  end(client: string, result?: KvResult, revision = 0): this {
    const id = this.#open.get(client) ?? 0;
    if (result === undefined) this.#recorder.unknown(id);
    else this.#recorder.returned(id, { revision, result });
    return this;
  }

  call(client: string, operation: KvOperation, result?: KvResult, revision = 0): this {
    return this.begin(client, operation).end(client, result, revision);
  }

  check() {
    return checkKvLinearizability(operationsOf(this.#recorder.events));
  }
}

const put = (key: string, value: string): KvOperation => ({ kind: "put", key, value });
const get = (key: string): KvOperation => ({ kind: "get", key });
const done: KvResult = { kind: "put" };
const nothing: KvResult = { kind: "get", items: [], count: 0 };

function found(key: string, value: string, options: Partial<KvItem> = {}): KvResult {
  const item = { key, value, createRevision: 2, modRevision: 2, version: 1, ...options };
  return { kind: "get", items: [item], count: 1 };
}

describe("an answer is one that real time allows:", () => {
  test("a read after a write sees it", () => {
    expect(new Script().call("x", put("a", "1"), done).call("y", get("a"), found("a", "1")).check().kind).toBe("ok");
    expect(new Script().call("x", put("a", "1"), done).call("y", get("a"), nothing).check().kind).toBe("violated");
  });

  test("a read beside a write sees it or not, but does not lose it again", () => {
    const beside = () => new Script().begin("x", put("a", "1"));
    expect(beside().call("y", get("a"), nothing).end("x", done).check().kind).toBe("ok");
    expect(beside().call("y", get("a"), found("a", "1")).end("x", done).check().kind).toBe("ok");
    const lostAgain = beside().call("y", get("a"), found("a", "1")).call("y", get("a"), nothing).end("x", done);
    expect(lostAgain.check().kind).toBe("violated");
  });

  test("a write of unknown outcome takes effect late, early or never, once", () => {
    const unknown = () => new Script().call("x", put("a", "1")).call("y", get("a"), nothing);
    expect(unknown().check().kind).toBe("ok");
    expect(unknown().call("y", get("a"), found("a", "1")).check().kind).toBe("ok");
    expect(
      unknown()
        .call("y", get("a"), found("a", "1", { version: 2 }))
        .check().kind,
    ).toBe("violated");
  });

  test("a write of unknown outcome takes no effect before it is sent", () => {
    expect(new Script().call("y", get("a"), found("a", "1")).call("x", put("a", "1")).check().kind).toBe("violated");
  });

  test("of two swaps of the same value one succeeds", () => {
    const swap = (value: string) => compareAndSwap({ key: "a", modRevision: 0, value });
    const succeeded: KvResult = { kind: "txn", succeeded: true, results: [done] };
    const both = new Script().begin("x", swap("1")).begin("y", swap("2")).end("x", succeeded).end("y", succeeded);
    expect(both.check().kind).toBe("violated");
  });

  test("a swap on a revision that nobody was told may succeed or not", () => {
    const history = (succeeded: boolean) =>
      new Script().call("x", put("a", "1")).call("y", compareAndSwap({ key: "a", modRevision: 9, value: "2" }), {
        kind: "txn",
        succeeded,
        results: [succeeded ? done : found("a", "1", { createRevision: 7, modRevision: 7 })],
      });
    expect(history(true).check().kind).toBe("ok");
    expect(history(false).check().kind).toBe("ok");
    // Now the revision has been told: it is 7, and no other.
    expect(
      history(false)
        .call("y", get("a"), found("a", "1", { createRevision: 7, modRevision: 8 }))
        .check().kind,
    ).toBe("violated");
  });

  test("revisions of a key rise", () => {
    expect(new Script().call("x", put("a", "1"), done, 5).call("x", put("a", "2"), done, 5).check().kind).toBe(
      "violated",
    );
    expect(new Script().call("x", put("a", "1"), done, 5).call("x", get("a"), nothing, 4).check().kind).toBe(
      "violated",
    );
  });

  test("keys that were put with a lease may vanish with it, all at once", () => {
    const attached = (key: string): KvOperation => ({ kind: "put", key, value: "1", lease: "7" });
    const both = () => new Script().call("x", attached("a"), done).call("x", attached("b"), done);
    expect(both().call("y", get("a"), nothing).call("y", get("b"), nothing).check().kind).toBe("ok");
    expect(
      both()
        .call("y", get("a"), nothing)
        .call("y", get("b"), found("b", "1", { lease: "7" }))
        .check().kind,
    ).toBe("violated");
  });

  test("a serializable read may be old", () => {
    const old = new Script()
      .call("x", put("a", "1"), done)
      .call("y", { kind: "get", key: "a", serializable: true }, nothing);
    expect(old.check().kind).toBe("ok");
  });
});

describe("a verdict", () => {
  test("names what does not fit, what comes before it, and what was under way", () => {
    const verdict = new Script()
      .call("x", put("a", "1"), done, 2)
      .begin("z", put("a", "3"))
      .call("x", put("b", "1"), done, 3)
      .call("y", get("a"), nothing, 3)
      .call("y", get("a"), found("a", "1"), 3)
      .check();
    expect(verdict).toMatchObject({
      kind: "violated",
      violation: { part: "a", misfit: { id: 4 }, prefix: [{ id: 1 }], concurrent: [{ id: 2 }] },
    });
    expect(linearizabilityText(verdict)).toBe(
      [
        'not linearizable: #4 y get("a") from 0 to 0 ms -> 0 keys [] at revision 3 does not fit',
        "after this order, which explains all 1 that came before it:",
        '  #1 x put("a", "1") from 0 to 0 ms -> put at revision 2',
        "nor with any of those under way:",
        '  #2 z put("a", "3") from 0 ms, outcome not known',
      ].join("\n"),
    );
  });

  test("is neither yes nor no when there is too much to look at", () => {
    const operations = operationsOf(randomRun({ seed: 1, operations: 100, keys: 1 }).history);
    expect(checkKvLinearizability(operations, { statesMax: 10 })).toMatchObject({ kind: "undecided", states: 10 });
    expect(checkKvLinearizability(operations).kind).toBe("ok");
    expect(() => checkKvLinearizability(operations, { statesMax: 0 })).toThrow(RangeError);
  });

  test("follows a model that may go on in several ways", () => {
    const dice: Model<number, "roll" | "look", number> = {
      init: 0,
      step: (state, operation, answer) => (operation === "roll" ? [1, 2] : answer === state ? [state] : []),
      hash: String,
    };
    const recorder = new HistoryRecorder<"roll" | "look", number>({ monotonicMs: () => 0 });
    recorder.returned(recorder.invoke("x", "roll"), 0);
    recorder.returned(recorder.invoke("x", "look"), 1);
    expect(checkLinearizability(operationsOf(recorder.events), dice).kind).toBe("ok");
    recorder.returned(recorder.invoke("x", "look"), 2);
    expect(checkLinearizability(operationsOf(recorder.events), dice).kind).toBe("violated");
  });
});

test("the histories of right runs are linearizable, with answers lost and leases ended", { timeout: 60_000 }, () => {
  for (let seed = 1; seed <= 200; seed++) {
    const { history } = randomRun({ seed, operations: 40, keys: 4, clients: 3 });
    expect({ seed, kind: checkKvLinearizability(operationsOf(history)).kind }).toEqual({ seed, kind: "ok" });
  }
});

test("10 000 operations of 10 clients on 50 keys are checked whole", { timeout: 60_000 }, () => {
  const run = randomRun({ seed: 1, operations: 10_000, clients: 10, keys: 50, singleKeys: true, leases: false });
  expect(checkKvLinearizability(operationsOf(run.history))).toMatchObject({ kind: "ok" });
});
