import { type VirtualTime, virtualTime } from "@conclave/testkit";
import { beforeEach, describe, expect, test } from "vitest";
import { LoginThrottle } from "./login-throttle.ts";

let time: VirtualTime;
let throttle: LoginThrottle;
beforeEach(() => {
  time = virtualTime();
  throttle = new LoginThrottle({ clock: time, scheduler: time });
});

const pair = "10.0.0.1 ann";

/** How long a login waits before it is looked at, in milliseconds. */
async function waitMs(of = pair): Promise<number> {
  const startMs = time.monotonicMs();
  await time.complete(throttle.admit(of));
  return time.monotonicMs() - startMs;
}

function fail(times: number, of = pair): void {
  for (let count = 0; count < times; count++) throttle.failed(of);
}

describe("LoginThrottle", () => {
  test.each([
    [0, 0],
    [1, 0],
    [3, 0],
    [4, 100],
    [5, 200],
    [6, 400],
    [9, 3_200],
    [10, 5_000],
    [1_000, 5_000],
  ])("after %i failures the next login waits %i ms", async (failures, expected) => {
    fail(failures);
    expect(await waitMs()).toBe(expected);
  });

  test("who lets the time pass by himself waits no more", async () => {
    fail(5);
    await time.advance(150);
    expect(await waitMs()).toBe(50);
    fail(1);
    await time.advance(1_000);
    expect(await waitMs()).toBe(0);
  });

  test("logins at the same time wait one behind the other, not side by side, until too many wait", async () => {
    fail(8);
    const admitted = [1, 2, 3].map(async () => {
      await throttle.admit(pair);
      return time.monotonicMs();
    });
    expect(await time.complete(Promise.all(admitted))).toEqual([1_600, 3_200, 4_800]);
    const crowd = Array.from({ length: 10 }, () =>
      throttle.admit(pair).then(
        () => "admitted",
        (error: { readonly code: string }) => error.code,
      ),
    );
    const outcomes = await time.complete(Promise.all(crowd));
    expect(outcomes.slice(0, 3)).toEqual(["admitted", "admitted", "admitted"]);
    expect(new Set(outcomes.slice(3))).toEqual(new Set(["RequestTooManyRequests"]));
  });

  test("neither other users nor the same user from elsewhere are held up", async () => {
    fail(50);
    expect(await waitMs("10.0.0.1 bob")).toBe(0);
    expect(await waitMs("10.0.0.2 ann")).toBe(0);
  });

  test("a success forgives the failures before it", async () => {
    fail(50);
    throttle.succeeded(pair);
    expect(throttle.size).toBe(0);
    expect(await waitMs()).toBe(0);
    fail(3);
    expect(await waitMs()).toBe(0);
  });

  test("remembers no more than 4 096 pairs, and forgets the one that failed longest ago", async () => {
    fail(10, "first");
    fail(10, "second");
    for (let host = 0; host < 4_094; host++) throttle.failed(`10.0.0.1 user-${host}`);
    throttle.failed("first");
    throttle.failed("one more");
    expect(throttle.size).toBe(4_096);
    expect(await waitMs("second")).toBe(0);
    expect(await waitMs("first")).toBe(5_000);
  });

  test("holds no process alive", () => {
    const background: (boolean | undefined)[] = [];
    const scheduler = {
      after: (_delayMs: number, _task: () => void, options?: { readonly background?: boolean }) => {
        background.push(options?.background);
        return { cancel: () => undefined };
      },
      atTurnEnd: () => undefined,
    };
    const one = new LoginThrottle({ clock: time, scheduler });
    for (let count = 0; count < 4; count++) one.failed(pair);
    void one.admit(pair);
    expect(background).toEqual([true]);
  });
});
