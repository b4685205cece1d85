import { seededRandom } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { type HistoryOperation, operationsOf } from "./history.ts";
import { checkKvLinearizability, type KvHistoryOperation } from "./kv-linearizability.ts";
import { kvModel } from "./kv-model.ts";
import { isSerializable } from "./kv-operation.ts";
import { checkLinearizability, type Model } from "./linearizability.ts";
import { isLinearizableByBruteForce } from "./testing/brute-force.ts";
import { anyMutation, withoutRevisions } from "./testing/mutations.ts";
import { randomRun } from "./testing/random-run.ts";

const smallHistories = 10_000;
const firstSeed = Number(process.env.SEED ?? 1);
const seeds = Array.from({ length: process.env.SEED === undefined ? smallHistories : 1 }, (_, at) => firstSeed + at);

type RegisterOperation = { readonly write: number } | { readonly swap: readonly [number, number] } | "read";

/** A register of a number: operations depend on its value and nothing else, so that many orders are possible. */
const register: Model<number, RegisterOperation, number | boolean> = {
  init: 0,
  step(state, operation, answer) {
    if (operation === "read") return answer === undefined || answer === state ? [state] : [];
    if ("write" in operation) return [operation.write];
    const [from, to] = operation.swap;
    const swapped = state === from;
    return answer === undefined || answer === swapped ? [swapped ? to : state] : [];
  },
  hash: String,
};

/** Operations that may or may not be linearizable: up to seven, of three clients, with three values. */
function anyRegisterHistory(seed: number): readonly HistoryOperation<RegisterOperation, number | boolean>[] {
  const random = seededRandom(seed);
  const value = () => random.below(3);
  const count = 2 + random.below(6);
  const points = Array.from({ length: 2 * count }, (_, at) => at);
  return Array.from({ length: count }, (_, id) => {
    const [a = 0, b = 0] = [0, 1].map(() => points.splice(random.below(Math.min(points.length, 5)), 1)[0] ?? 0);
    const operation: RegisterOperation =
      ([{ write: value() }, { swap: [value(), value()] }, "read", "read"] as const)[random.below(4)] ?? "read";
    const answer = operation === "read" ? value() : random.below(2) === 0;
    const [invokedAt, at] = [Math.min(a, b), Math.max(a, b)];
    const returned = random.below(5) === 0 ? undefined : { at, atMs: at, answer };
    return { id, client: "c", session: "c", operation, invokedAt, invokedMs: invokedAt, returned };
  });
}

/** Whether a read must be of the newest revision; others are not for this checker to judge. */
function readsTheNewest({ operation }: KvHistoryOperation): boolean {
  return !isSerializable(operation) && (operation.kind !== "get" || operation.revision === undefined);
}

describe("against brute force, on small histories,", { timeout: 60_000 }, () => {
  test("agrees about any history of a register", () => {
    const verdicts = { ok: 0, violated: 0, undecided: 0 };
    for (const seed of seeds) {
      const history = anyRegisterHistory(seed);
      const { kind } = checkLinearizability(history, register);
      verdicts[kind] += 1;
      const expected = isLinearizableByBruteForce(history, register) ? "ok" : "violated";
      if (kind !== expected) expect.fail(`SEED=${seed}: ${kind}, and should be ${expected}`);
    }
    if (seeds.length > 1) expect(Math.min(verdicts.ok, verdicts.violated)).toBeGreaterThan(smallHistories / 10);
  });

  test("agrees about histories of the real store, spoilt and unspoilt, part by part", () => {
    const verdicts = { ok: 0, violated: 0, undecided: 0 };
    for (const seed of seeds) {
      const random = seededRandom(seed);
      // Revisions order the operations on all keys: what is checked key by key is the same only without them.
      const keys = 1 + random.below(2);
      const singleKeys = random.below(2) === 0;
      const operations = 2 + random.below(6);
      const clients = 3;
      const right = randomRun({
        seed,
        operations,
        clients,
        keys,
        singleKeys,
        values: 2,
        unknownPercent: 20,
        leases: false,
      });
      const seen = keys === 2 || random.below(2) === 0 ? withoutRevisions(right.history) : right.history;
      const spoilt = random.below(4) > 0;
      const history = operationsOf(spoilt ? anyMutation(random)(seen, random) : seen);
      const { kind } = checkKvLinearizability(history);
      verdicts[kind] += 1;
      if (!spoilt && kind !== "ok") expect.fail(`SEED=${seed}: the history of a right run is ${kind}`);
      const expected = isLinearizableByBruteForce(history.filter(readsTheNewest), kvModel) ? "ok" : "violated";
      if (kind !== expected) expect.fail(`SEED=${seed}: ${kind}, and should be ${expected}`);
    }
    if (seeds.length > 1) expect(Math.min(verdicts.ok, verdicts.violated)).toBeGreaterThan(smallHistories / 10);
  });
});
