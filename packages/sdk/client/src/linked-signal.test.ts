import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { LinkedSignal } from "./linked-signal.ts";

describe("a linked signal", () => {
  test("aborts with the first of those it follows, with its reason, or by itself", () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const linked = new LinkedSignal(one.signal, undefined, other.signal);
    expect(linked.signal.aborted).toBe(false);
    other.abort("other");
    one.abort("one");
    expect([linked.signal.aborted, linked.signal.reason]).toEqual([true, "other"]);
    expect(new LinkedSignal(one.signal).signal.reason).toBe("one");
    const alone = new LinkedSignal();
    alone.abort("itself");
    expect(alone.signal.reason).toBe("itself");
  });

  test("lets go of those it follows when it is disposed of", () => {
    const one = new AbortController();
    const linked = Array.from({ length: 100 }, () => {
      using each = new LinkedSignal(one.signal);
      return each;
    });
    expect(getEventListeners(one.signal, "abort").length).toBeLessThanOrEqual(1);
    one.abort();
    expect(linked.some(({ signal }) => signal.aborted)).toBe(false);
  });
});
