import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TimerHeap } from "./timer-heap.ts";

describe("TimerHeap", () => {
  it("fires what a sorted list would, whatever is added and cancelled", () => {
    const dues = fc.array(fc.record({ dueMs: fc.integer({ min: 0, max: 9 }), isCancelled: fc.boolean() }));
    fc.assert(
      fc.property(dues, (timers) => {
        const heap = new TimerHeap();
        const fired: number[] = [];
        const added = timers.map(({ dueMs }, name) => heap.add(dueMs, () => fired.push(name)));
        timers.forEach(({ isCancelled }, name) => {
          if (isCancelled) for (const timer of added.slice(name, name + 1)) heap.cancel(timer);
        });
        const expected = [...timers.keys()]
          .filter((name) => timers[name]?.isCancelled === false)
          .sort((left, right) => (timers[left]?.dueMs ?? 0) - (timers[right]?.dueMs ?? 0) || left - right);
        expect(heap.size).toBe(expected.length);
        while (heap.next !== undefined) heap.fireNext();
        expect(fired).toEqual(expected);
        expect(heap.size).toBe(0);
      }),
    );
  });

  it("forgets a timer that is cancelled twice, or after it has fired, only once", () => {
    const heap = new TimerHeap();
    const first = heap.add(1, () => {});
    heap.add(2, () => {});
    heap.fireNext();
    heap.cancel(first);
    heap.cancel(first);
    expect(heap.size).toBe(1);
  });
});
