import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Inflights } from "./inflights.ts";

const limits = { messages: 4, bytes: 20 };
type Step = { readonly kind: "add"; readonly bytes: number } | { readonly kind: "free"; readonly index: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("add" as const), bytes: fc.nat({ max: 12 }) }),
  fc.record({ kind: fc.constant("free" as const), index: fc.nat({ max: 40 }) }),
);

describe("the window of appends in flight", () => {
  test("is a list from which acknowledged messages are struck, full by count or by bytes", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const inflights = new Inflights(limits);
        let model: { index: number; bytes: number }[] = [];
        let index = 0;
        for (const next of steps) {
          if (next.kind === "free") {
            inflights.freeUpTo(next.index);
            model = model.filter((inflight) => inflight.index > next.index);
          } else if (!inflights.isFull) {
            index++;
            inflights.add(index, next.bytes);
            model.push({ index, bytes: next.bytes });
          }
          const bytes = model.reduce((sum, inflight) => sum + inflight.bytes, 0);
          expect([inflights.count, inflights.bytes]).toEqual([model.length, bytes]);
          expect(inflights.isFull).toBe(model.length >= limits.messages || bytes >= limits.bytes);
        }
      }),
    );
  });

  test("add() refuses a full window and a message out of order", () => {
    const inflights = new Inflights({ messages: 1, bytes: 100 });
    inflights.add(5, 1);
    expect(() => inflights.add(6, 1)).toThrow("window with room");
    const roomy = new Inflights(limits);
    roomy.add(5, 1);
    expect(() => roomy.add(5, 1)).toThrow("in order");
  });
});
