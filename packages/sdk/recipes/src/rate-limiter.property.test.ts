import { type Client, createClient } from "@conclave/client";
import { startMember, type TestMember } from "@conclave/testkit";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createRateLimiter } from "./index.ts";

let member: TestMember;
let client: Client;
let nowMs = 1_700_000_000_000;
beforeAll(async () => {
  member = await startMember();
  const clock = { monotonicMs: () => performance.now(), wallMs: () => nowMs };
  client = createClient({ endpoints: [member.endpoint], clock });
});
afterAll(async () => {
  await client.close();
  await member[Symbol.asyncDispose]();
});

const step = fc.record({ afterMs: fc.integer({ min: 0, max: 400 }), who: fc.nat(2) });

/** The dumbest correct limiter: a bucket that is filled evenly and never overflows. */
function bucket(limit: number, periodMs: number, burst: number): (atMs: number) => boolean {
  let [level, lastMs] = [burst, nowMs];
  return (atMs) => {
    level = Math.min(burst, level + ((atMs - lastMs) * limit) / periodMs);
    lastMs = atMs;
    // Levels are whole thousandths, but for rounding.
    if (level < 1 - 5e-4) return false;
    level -= 1;
    return true;
  };
}

test("lets through exactly what a bucket with the same numbers does, whichever of three processes asks", async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.record({ limit: fc.integer({ min: 1, max: 20 }), burst: fc.integer({ min: 1, max: 5 }) }),
      fc.array(step, { minLength: 1, maxLength: 25 }),
      async ({ limit, burst }, steps) => {
        const name = `limit/${run++}`;
        const options = { limit, burst, periodMs: 1_000 };
        const limiters = [0, 1, 2].map(() => createRateLimiter(client, name, options));
        const model = bucket(limit, options.periodMs, burst);
        for (const { afterMs, who } of steps) {
          nowMs += afterMs;
          const decision = await limiters[who]?.tryTake("subject");
          expect(decision?.isAllowed).toBe(model(nowMs));
        }
      },
    ),
    { numRuns: 30 },
  );
});
