import { type Client, connect } from "@conclave/client";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createElection, type Leader, type Leadership } from "./index.ts";

let counter = 0;
const freshName = (): string => `elections/${counter++}`;

async function take(leaders: AsyncIterable<Leader>, count: number): Promise<string[]> {
  const values: string[] = [];
  for await (const { value } of leaders) if (values.push(value) === count) break;
  return values;
}

describe.each(backEnds())("an election on $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "one member", { timeout: 30_000 }, () => {
    let member: BackEndMember;
    let client: Client;
    beforeAll(async () => {
      member = await start();
      client = await connect({ endpoints: [member.endpoint] });
    });
    afterAll(async () => {
      await client.close();
      await member[Symbol.asyncDispose]();
    });

    test("has one leader at a time, with growing fences", async () => {
      const election = createElection(client, freshName());
      const first = await election.campaign("first");
      const second = election.campaign("second");
      expect(await election.leader()).toMatchObject({ value: "first", fence: first.fence });
      await first.resign();
      const next = await second;
      expect(next.fence).toBeGreaterThan(first.fence);
      expect(await election.leader()).toMatchObject({ value: "second", fence: next.fence });
      await next.resign();
      expect(await election.leader()).toBeUndefined();
    });

    test("T19: observe() names every leader and proclamation in order, and never a mere candidate", async () => {
      const election = createElection(client, freshName());
      const observed = take(election.observe(), 4);
      const first = await election.campaign("first");
      await first.proclaim("first again");
      const second = election.campaign("second");
      await first.proclaim("first at last");
      await first.resign();
      await (await second).resign();
      expect(await observed).toEqual(["first", "first again", "first at last", "second"]);
    });

    test("T15: a leader that was deposed can no longer proclaim", async () => {
      const election = createElection(client, freshName());
      const stale = await election.campaign("stale");
      await client.lease.revoke(stale.lease);
      const current = await election.campaign("current");
      await expect(stale.proclaim("again")).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
      expect(await election.leader()).toMatchObject({ value: "current" });
      await current.resign();
    });

    test("lead() runs its task while it leads, and stands again after a loss", async () => {
      const election = createElection(client, freshName());
      const fences: number[] = [];
      await election.lead(async (leadership: Leadership) => {
        fences.push(leadership.fence);
        if (fences.length === 2) return;
        await client.lease.revoke(leadership.lease);
        await leadership.ended;
      });
      expect(fences).toHaveLength(2);
      expect(fences[0]).toBeLessThan(fences[1] ?? 0);
      expect(await election.leader()).toBeUndefined();
    });

    test("lead() resigns and ends when it is told to", async () => {
      const election = createElection(client, freshName());
      const abort = new AbortController();
      const leading = election.lead(
        async ({ ended }) => {
          abort.abort();
          await ended;
        },
        { signal: abort.signal },
      );
      await leading;
      expect(await election.leader()).toBeUndefined();
    });

    test("lead() passes on what the task throws while it leads, having resigned", async () => {
      const election = createElection(client, freshName());
      const failing = election.lead(async () => {
        throw new Error("the task failed");
      });
      await expect(failing).rejects.toThrow("the task failed");
      expect(await election.leader()).toBeUndefined();
    });
  });
});

test("createElection() refuses an empty name and unknown options", () => {
  expect(() => createElection(undefined as never, "")).toThrow("name must not be empty");
  expect(() => createElection(undefined as never, "a", { ttl: 1 } as never)).toThrow("ttl");
});
