import { describe, expect, test, vi } from "vitest";
import { Deferred } from "./deferred.ts";

function listener() {
  return { onValue: vi.fn<(value: string) => void>(), onError: vi.fn<(error: unknown) => void>() };
}

describe("Deferred", () => {
  test("tells its listener at once, in the same call that settles it", () => {
    const [told, refused] = [listener(), listener()];
    const [first, second] = [new Deferred<string>(), new Deferred<string>()];
    first.listen(told);
    second.listen(refused);
    first.resolve("value");
    second.reject("reason");
    expect(told.onValue.mock.calls).toEqual([["value"]]);
    expect(refused.onError.mock.calls).toEqual([["reason"]]);
    expect(told.onError).not.toHaveBeenCalled();
    expect(refused.onValue).not.toHaveBeenCalled();
  });

  test("tells one who comes late, and ends only once", () => {
    const late = listener();
    const deferred = new Deferred<string>();
    deferred.resolve("first");
    deferred.resolve("second");
    deferred.reject("third");
    deferred.listen(late);
    expect(late.onValue.mock.calls).toEqual([["first"]]);
    expect(late.onError).not.toHaveBeenCalled();
  });

  test("can be awaited like a promise", async () => {
    const [good, bad] = [new Deferred<string>(), new Deferred<string>()];
    const both = Promise.allSettled([good, bad]);
    good.resolve("value");
    bad.reject("reason");
    expect(await both).toEqual([
      { status: "fulfilled", value: "value" },
      { status: "rejected", reason: "reason" },
    ]);
    expect(await good).toBe("value");
  });
});
