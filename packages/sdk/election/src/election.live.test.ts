import { type Client, connect, op } from "@conclave/client";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type CampaignOptions,
  createCron,
  createElection,
  type Election,
  type Leader,
  type LeaderTerm,
  listElections,
} from "./index.ts";

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

    test("shows its leader and those who stand behind, in their order, and is listed", async () => {
      const name = `listed-${freshName()}`;
      const election = createElection(client, name);
      expect(await election.inspect()).toMatchObject({ leader: undefined, candidates: [] });
      const leadership = await election.campaign("first");
      const given = new AbortController();
      const others = ["second", "third"].map(async (value, at) => {
        while ((await election.inspect()).candidates.length < at);
        return await election.campaign(value, { signal: given.signal }).catch(() => undefined);
      });
      while ((await election.inspect()).candidates.length < 2);
      await leadership.proclaim("still first");
      const state = await election.inspect();
      expect(state.leader).toMatchObject({ value: "still first", fence: leadership.fence });
      expect(state.leader?.revision).toBeGreaterThan(leadership.fence);
      expect(state.candidates.map(({ value }) => value)).toEqual(["second", "third"]);
      const { elections } = await listElections(client, { prefix: "listed-" });
      expect([{ name, leader: state.leader, candidates: state.candidates }]).toMatchObject(elections);
      given.abort();
      await Promise.all(others);
      await leadership.resign();
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

    test("a leader whose key somebody deletes learns of it", async () => {
      const election = createElection(client, freshName());
      const deposed = await election.campaign("deposed");
      await client.delete(deposed.key);
      expect(await deposed.ended).toMatchObject({ code: "OWNERSHIP_LOST" });
      expect(deposed.held).toBe(false);
    });

    test("lead() runs its task while it leads, and stands again after a loss", async () => {
      const election = createElection(client, freshName());
      const fences: number[] = [];
      await election.lead(async (leadership: LeaderTerm) => {
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

    /** Lets a candidate stand, and waits until it does. */
    async function stand(election: Election, value: string, options: CampaignOptions = {}) {
      const stands = async () => {
        const { leader, candidates } = await election.inspect();
        return [leader, ...candidates].some((candidate) => candidate?.value === value);
      };
      const won = election.campaign(value, options);
      while (!(await stands()));
      return { won };
    }

    const order = async (election: Election): Promise<readonly string[]> => {
      const { leader, candidates } = await election.inspect();
      return [leader, ...candidates].map((candidate) => candidate?.value ?? "nobody");
    };

    test("hands over to a named candidate, past those who stand before it and then stand behind", async () => {
      const election = createElection(client, freshName());
      const observed = take(election.observe(), 3);
      const first = await election.campaign("first", { id: "one" });
      const passed = await stand(election, "passed", { priority: 9 });
      const chosen = await stand(election, "chosen", { id: "three" });
      await expect(first.handOver({ to: "nobody" })).rejects.toMatchObject({ code: "NO_CANDIDATE" });
      expect(first.held).toBe(true);
      const { successor, passedOver } = await first.handOver({ to: "three" });
      expect([successor?.value, ...passedOver.map(({ value }) => value)]).toEqual(["chosen", "passed"]);
      expect(first.held).toBe(false);
      await expect(first.ended).resolves.toMatchObject({ code: "CLOSED" });
      const second = await chosen.won;
      expect(second.fence).toBeGreaterThan(first.fence);
      while ((await order(election)).length < 2);
      expect(await order(election)).toEqual(["chosen", "passed"]);
      await expect(first.proclaim("still here")).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
      await second.resign();
      const third = await passed.won;
      expect(third.fence).toBeGreaterThan(second.fence);
      expect(await observed).toEqual(["first", "chosen", "passed"]);
      await third.resign();
    });

    test("hands over to the highest priority, after the drain, and never past a candidate that would not stand again", async () => {
      const election = createElection(client, freshName());
      const leader = await election.campaign("leader");
      const low = await stand(election, "low", { priority: 1 });
      const high = await stand(election, "high", { priority: 2 });
      const plain = await stand(election, "plain");
      const beyond = await stand(election, "beyond", { priority: 3 });
      await expect(leader.handOver({ to: "beyond" })).rejects.toThrow("cannot be passed over");
      const steps: string[] = [];
      await leader.handOver({
        drain: async () => {
          steps.push(`drained while it ${leader.held ? "led" : "did not lead"}`);
        },
      });
      const second = await high.won;
      expect(steps).toEqual(["drained while it led"]);
      while ((await order(election)).length < 4);
      expect(await order(election)).toEqual(["high", "plain", "beyond", "low"]);
      const abandoned = new Error("not now");
      await expect(second.handOver({ drain: () => Promise.reject(abandoned) })).rejects.toBe(abandoned);
      expect(second.held).toBe(true);
      for (const leadership of [second, plain.won, beyond.won, low.won]) await (await leadership).resign();
    });

    test("resumes a candidacy after a restart, as the leader it was, and stands anew when its lease is gone", async () => {
      const name = freshName();
      const earlier = await connect({ endpoints: [member.endpoint] });
      const before = createElection(earlier, name);
      const leases: bigint[] = [];
      before.on("stands", ({ lease }) => leases.push(lease));
      const first = await before.campaign("first run");
      const [lease = 0n] = leases;
      expect(first.lease).toBe(lease);
      const election = createElection(client, name);
      const second = await election.campaign("second run", { resume: lease });
      expect(second).toMatchObject({ fence: first.fence, key: first.key, held: true });
      expect(await election.leader()).toMatchObject({ value: "second run", fence: first.fence });
      await earlier.close();
      const third = await election.campaign("third run", { resume: lease });
      expect(third.fence).toBeGreaterThan(first.fence);
      await third.resign();
    });

    test("lead() lets its task end, drains, hands over to the best and stands again behind it", async () => {
      const election = createElection(client, freshName());
      const told: string[] = [];
      election.on("handedOver", ({ successor }) => told.push(`handed over to ${successor?.id}`));
      let turns = 0;
      const elected = new Promise((resolve) => election.once("elected", resolve));
      const led = election.lead(
        async (term) => {
          told.push(`turn ${++turns}`);
          if (turns === 2) return;
          while ((await election.inspect()).candidates.length < 1);
          await term.handOver();
          expect(term.signal.aborted).toBe(true);
          await term.ended;
          told.push(`ended while it ${term.held ? "led" : "did not lead"}`);
        },
        { id: "host-1", drain: async ({ held }) => void told.push(held ? "drained" : "too late") },
      );
      await elected;
      const other = await stand(election, "host-2");
      const leadership = await other.won;
      while ((await election.inspect()).candidates.length < 1);
      await leadership.resign();
      await led;
      expect(told).toEqual([
        ...["turn 1", "ended while it led", "drained", "handed over to host-2", "turn 2", "drained"],
      ]);
      expect(await election.leader()).toBeUndefined();
    });

    test("lead() yields to a candidate of higher priority, and begins no task while one stands", async () => {
      const name = freshName();
      const stop = new AbortController();
      const turns: string[] = [];
      const lead = (id: string, priority: number) =>
        createElection(client, name).lead(
          async ({ ended }) => {
            turns.push(id);
            await ended;
          },
          { id, value: id, priority, yieldsToPriority: true, signal: stop.signal },
        );
      const election = createElection(client, name);
      const standing = [lead("low", 1)];
      while (turns.length < 1) await new Promise(setImmediate);
      standing.push(lead("high", 3));
      while ((await election.leader())?.value !== "high");
      while (turns.length < 2) await new Promise(setImmediate);
      standing.push(lead("middle", 2));
      while ((await election.inspect()).candidates.length < 2);
      stop.abort();
      await Promise.all(standing);
      expect(turns).toEqual(["low", "high"]);
    });

    test("a cron runs each tick in one of the processes that take part", async () => {
      const name = freshName();
      const stop = new AbortController();
      const ticks: number[] = [];
      const parts = [1, 2].map(() =>
        createCron(client, name, { schedule: "* * * * * *", missed: "all" }).run(
          async ({ tick, txn }) => {
            await txn([op.put(`${name}-ran`, tick.toISOString())]);
            if (ticks.push(tick.getTime()) === 3) stop.abort();
          },
          { signal: stop.signal },
        ),
      );
      await Promise.all(parts);
      const [first = 0] = ticks;
      expect(ticks).toEqual([first, first + 1_000, first + 2_000]);
      expect(await client.getString(`${name}-ran`)).toBe(new Date(first + 2_000).toISOString());
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
