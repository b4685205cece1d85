import { setVerifying, utf8 } from "@conclave/base";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RaftLog } from "./log.ts";
import { MemoryLogStorage } from "./memory-log-storage.ts";
import type { Entry } from "./types.ts";

setVerifying(true);

function entry(index: number, term: number): Entry {
  return { type: "normal", index, term, data: utf8(`${index}/${term}`) };
}

/** A log is a list of terms that never go down. */
const terms = fc.array(fc.nat({ max: 2 }), { maxLength: 12 }).map((steps) => {
  let term = 1;
  return steps.map((step) => {
    term += step;
    return term;
  });
});

const append = fc.record({ from: fc.nat({ max: 12 }), count: fc.nat({ max: 12 }), commit: fc.nat({ max: 14 }) });

/** Cuts a log into a compacted, a stable and an unstable part. */
const parts = fc.record({ compacted: fc.nat({ max: 12 }), stable: fc.nat({ max: 12 }) });

function logOf(all: readonly number[], cut: { compacted: number; stable: number }): RaftLog {
  const entries = all.map((term, at) => entry(at + 1, term));
  const stable = Math.min(cut.stable, all.length);
  const storage = new MemoryLogStorage({ entries: entries.slice(0, stable) });
  storage.compact(Math.min(cut.compacted, stable));
  const log = new RaftLog(storage);
  for (const { type, data, term } of entries.slice(stable)) log.push({ type, data }, term);
  return log;
}

function termsOf(log: RaftLog): readonly (number | undefined)[] {
  return Array.from({ length: log.lastIndex }, (_, at) => log.term(at + 1));
}

describe("the log", () => {
  test("reads the same wherever its stable part begins and ends", () => {
    fc.assert(
      fc.property(terms, parts, fc.nat({ max: 14 }), fc.nat({ max: 14 }), (all, cut, from, to) => {
        const log = logOf(all, cut);
        const start = Math.max(1, Math.min(from, to));
        const end = Math.min(Math.max(from, to), all.length) + 1;
        const expected = all.slice(start - 1, end - 1).map((term, at) => entry(start + at, term));
        const read = log.entries({ start, end }, Number.POSITIVE_INFINITY);
        if (start < end && start < log.firstIndex) expect(read).toBeUndefined();
        else expect(read).toEqual(start < end ? expected : []);
      }),
    );
  });

  test("a limited read is the longest prefix that fits, and never empty", () => {
    fc.assert(
      fc.property(terms, parts, fc.nat({ max: 200 }), (all, cut, maxBytes) => {
        const log = logOf(all, cut);
        const range = { start: log.firstIndex, end: log.lastIndex + 1 };
        if (range.start >= range.end) return;
        const whole = log.entries(range, Number.POSITIVE_INFINITY) ?? [];
        const read = log.entries(range, maxBytes) ?? [];
        const bytes = (count: number): number =>
          whole.slice(0, count).reduce((sum, { data }) => sum + data.length + 32, 0);
        expect(read).toEqual(whole.slice(0, read.length));
        expect(read.length).toBeGreaterThan(0);
        if (read.length > 1) expect(bytes(read.length)).toBeLessThanOrEqual(maxBytes);
        if (read.length < whole.length) expect(bytes(read.length + 1)).toBeGreaterThan(maxBytes);
      }),
    );
  });

  test("maybeAppend() makes the log equal to the leader's up to the append's end (§5.3)", () => {
    fc.assert(
      fc.property(terms, parts, terms, append, (own, cut, leaders, { from, count, commit }) => {
        const log = logOf(own, cut);
        const previous = Math.max(Math.min(from, leaders.length), log.committed);
        const previousTerm = previous === 0 ? 0 : (leaders[previous - 1] ?? 0);
        // Logs that share an entry share all before it: else this is no pair of logs that can meet.
        const shared = own.slice(0, previous);
        fc.pre(log.term(previous) !== previousTerm || shared.every((term, at) => term === leaders[at]));
        const entries = leaders.slice(previous, previous + count).map((term, at) => entry(previous + at + 1, term));
        const before = termsOf(log);
        const committed = log.committed;
        const last = log.maybeAppend({ previous: { index: previous, term: previousTerm }, entries, commit });
        if (before[previous - 1] !== previousTerm && previous > 0) {
          expect(last).toBeUndefined();
          expect(termsOf(log)).toEqual(before);
          return;
        }
        expect(last).toBe(previous + entries.length);
        // What follows the append may be another leader's: the commit index says nothing of it.
        expect(log.committed).toBe(Math.max(committed, Math.min(commit, previous + entries.length)));
        expect(termsOf(log).slice(log.firstIndex - 1, last)).toEqual(leaders.slice(log.firstIndex - 1, last));
      }),
    );
  });

  test("an append that the log holds already removes nothing: it may be an old one (§5.3)", () => {
    fc.assert(
      fc.property(terms, fc.nat({ max: 12 }), fc.nat({ max: 12 }), (all, from, count) => {
        const log = logOf(all, { compacted: 0, stable: 6 });
        const previous = Math.min(from, all.length);
        const entries = all.slice(previous, previous + count).map((term, at) => entry(previous + at + 1, term));
        log.maybeAppend({ previous: { index: previous, term: all[previous - 1] ?? 0 }, entries, commit: 0 });
        expect(termsOf(log)).toEqual(all);
      }),
    );
  });

  test("findConflictByTerm() names the last index of a term not above", () => {
    fc.assert(
      fc.property(terms, parts, fc.nat({ max: 12 }), fc.nat({ max: 20 }), (all, cut, index, term) => {
        const log = logOf(all, cut);
        const found = log.findConflictByTerm({ index: Math.min(index, all.length), term });
        const known = (at: number): number => (at === 0 ? 0 : (log.term(at) ?? 0));
        const candidates = Array.from({ length: Math.min(index, all.length) + 1 }, (_, at) => at);
        expect(found.index).toBe(Math.max(...candidates.filter((at) => known(at) <= term)));
      }),
    );
  });

  test("what was replaced while it was being written does not count as stable", () => {
    fc.assert(
      fc.property(terms, fc.integer({ min: 1, max: 12 }), (all, at) => {
        fc.pre(all.length > 0);
        const storage = new MemoryLogStorage();
        const log = new RaftLog(storage);
        for (const [index, term] of all.entries())
          log.push({ type: "normal", data: utf8(`${index + 1}/${term}`) }, term);
        const written = log.unstable.entries.slice();
        const cut = Math.min(at, all.length);
        const newTerm = (all.at(-1) ?? 0) + 1;
        log.maybeAppend({
          previous: { index: cut - 1, term: all[cut - 2] ?? 0 },
          entries: [entry(cut, newTerm)],
          commit: 0,
        });
        storage.append(written);
        log.stableTo(written.at(-1) as Entry);
        expect(log.stableIndex).toBeLessThan(cut);
        expect(log.unstable.entries.at(-1)?.term).toBe(newTerm);
      }),
    );
  });

  test("a committed entry is never replaced (§5.4)", () => {
    const log = logOf([1, 1, 2], { compacted: 0, stable: 3 });
    log.commitTo(2);
    expect(() => log.maybeAppend({ previous: { index: 1, term: 1 }, entries: [entry(2, 3)], commit: 0 })).toThrow(
      "a committed entry is never replaced",
    );
  });

  test("what is committed must be in the log", () => {
    expect(() => logOf([1], { compacted: 0, stable: 1 }).commitTo(2)).toThrow("was the log lost?");
  });
});

describe("MemoryLogStorage", () => {
  test("append() replaces from the first entry on, and skips what is compacted", () => {
    fc.assert(
      fc.property(terms, fc.nat({ max: 12 }), fc.nat({ max: 12 }), (all, compacted, from) => {
        fc.pre(all.length > 0);
        const storage = new MemoryLogStorage({ entries: all.map((term, at) => entry(at + 1, term)) });
        storage.compact(Math.min(compacted, all.length));
        const start = Math.min(from, all.length - 1);
        const replacing = all.slice(start).map((_, at) => entry(start + at + 1, 99));
        storage.append(replacing.slice(0, 2));
        const end = Math.max(Math.min(start + 2, all.length), storage.firstIndex - 1);
        // What is compacted is applied: an append of nothing else changes nothing.
        const isBelow = start + replacing.slice(0, 2).length < storage.firstIndex;
        expect(storage.lastIndex).toBe(isBelow ? all.length : end);
        if (storage.lastIndex >= storage.firstIndex && !isBelow) expect(storage.term(storage.lastIndex)).toBe(99);
      }),
    );
  });

  test("append() refuses a gap", () => {
    const storage = new MemoryLogStorage({ entries: [entry(1, 1)] });
    expect(() => storage.append([entry(3, 1)])).toThrow("leave no gap");
  });

  test("compact() keeps the term of the last compacted entry, for the consistency check", () => {
    const storage = new MemoryLogStorage({ entries: [entry(1, 1), entry(2, 2), entry(3, 3)] });
    storage.compact(2);
    expect([storage.firstIndex, storage.term(1), storage.term(2), storage.term(3)]).toEqual([3, undefined, 2, 3]);
  });

  test("snapshot() offers none that would leave a gap to the log", () => {
    const storage = new MemoryLogStorage({ entries: [entry(1, 1), entry(2, 1)] });
    storage.compact(2);
    expect(storage.snapshot()).toBeUndefined();
  });
});
