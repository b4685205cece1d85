import { type Backend, utf8 } from "@conclave/base";
import { createMemoryBackend } from "@conclave/mvcc";
import { virtualTime } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { StoreFlusher } from "./store-flusher.ts";

function setUp() {
  const time = virtualTime();
  const backend: Backend = createMemoryBackend();
  const state = { applied: 0, failure: undefined as unknown };
  const flusher = new StoreFlusher(
    {
      ...{ backend, scheduler: time, intervalMs: 100, operationLimit: 10 },
      beforeCommit: () => state.applied,
      onFailure: (error) => {
        state.failure = error;
      },
    },
    0,
  );
  const apply = (index: number): void => {
    state.applied = index;
    backend.put("key", utf8(String(index)), utf8("v"));
    void flusher.afterApply();
  };
  return { time, backend, state, flusher, apply };
}

describe("StoreFlusher", () => {
  test("persists what was applied after the interval, in one commit", async () => {
    const { time, flusher, apply } = setUp();
    apply(1);
    apply(2);
    await time.advance(99);
    expect(flusher.flushedIndex).toBe(0);
    await time.advance(1);
    expect(flusher.flushedIndex).toBe(2);
  });

  test("persists nothing while the store is being replaced, and goes on from what replaced it", async () => {
    const { time, flusher, apply, state } = setUp();
    apply(1);
    let finish: (index: number) => void = () => {};
    const replaced = flusher.exclusively(() => new Promise((resolve) => (finish = resolve)));
    const flushed = flusher.flush();
    await time.advance(1000);
    expect(flusher.flushedIndex).toBe(0);
    state.applied = 50;
    finish(50);
    await replaced;
    expect(flusher.flushedIndex).toBe(50);
    await flushed;
    apply(51);
    await time.advance(100);
    expect(flusher.flushedIndex).toBe(51);
  });

  test("tells whoever replaces the store that it failed, and nobody else", async () => {
    const { flusher, state } = setUp();
    const replaced = flusher.exclusively(() => Promise.reject(new Error("the disk is gone")));
    const flushed = flusher.flush();
    await expect(replaced).rejects.toThrow("the disk is gone");
    await expect(flushed).resolves.toBeUndefined();
    expect(state.failure).toBeUndefined();
  });
});
