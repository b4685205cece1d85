/**
 * @module Between the loss of a leadership and its notice two lead, and an observer names one that does not. Here the leader
 * is cut off from the cluster for longer than its lease lives, while a second candidate waits and an observer looks on.
 */
import { type Client, op } from "@conclave/client";
import { createElection } from "@conclave/election";
import { type SimulatedClient, SimulatedCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { naiveCampaign, naiveObserve } from "./naive/election.ts";

const name = "election";
const ttlSec = 4;

/** Leading, as the scenario sees it. */
interface Lead {
  readonly leads: () => boolean;
  /** A write that only the leader may do. @returns whether it was carried out */
  readonly write: (value: string) => Promise<boolean>;
}

interface Subject {
  readonly campaign: (client: Client, value: string) => Promise<Lead>;
  readonly observe: (client: Client, signal: AbortSignal) => AsyncIterable<string>;
}

const ours: Subject = {
  async campaign(client, value) {
    const leadership = await createElection(client, name, { ttlSec }).campaign(value);
    const write = (text: string) => leadership.txn([op.put("guarded", text)], { idempotent: true });
    return {
      leads: () => leadership.held,
      write: (text) =>
        write(text).then(
          () => true,
          () => false,
        ),
    };
  },
  async *observe(client, signal) {
    for await (const { value } of createElection(client, name).observe({ signal })) yield value;
  },
};

const naive: Subject = {
  async campaign(client, value) {
    const leader = await naiveCampaign(client, value, ttlSec);
    return { leads: () => leader.isLeader, write: (text) => leader.write("guarded", text) };
  },
  observe: naiveObserve,
};

/** Looks every 10 ms whether both lead, from when the second does until the first has had a second to notice. */
async function bothLead(
  cluster: SimulatedCluster,
  first: Lead,
  second: Promise<Lead>,
): Promise<{ readonly overlapMs: number; readonly last: Lead }> {
  let last: Lead | undefined;
  void second.then((lead) => {
    last = lead;
  });
  let overlapMs = 0;
  while (last === undefined) await cluster.sleep(10);
  for (let look = 0; look < 100; look++) {
    if (first.leads() && last.leads()) overlapMs += 10;
    await cluster.sleep(10);
  }
  return { overlapMs, last };
}

async function partitionedLeader(subject: Subject) {
  const cluster = new SimulatedCluster({ seed: 19 });
  return await cluster.run(async () => {
    await cluster.start();
    const [one, two]: readonly SimulatedClient[] = [cluster.client(), cluster.client()];
    if (one === undefined || two === undefined) throw new Error("two clients");
    const first = await subject.campaign(one.client, "first");
    const second = subject.campaign(two.client, "second");
    await cluster.sleep(1_000);
    cluster.isolate(one.name);
    // Its write is under way, again and again, until the network is back.
    const late = first.write("of the first");
    const { overlapMs, last } = await bothLead(cluster, first, second);
    const isWritten = await last.write("of the second");
    cluster.heal();
    const isOverwritten = await late;
    const value = await two.client.getString("guarded");
    return { overlapMs, isWritten, isOverwritten, value };
  });
}

async function observedWhileAnotherStands(subject: Subject): Promise<readonly string[]> {
  const cluster = new SimulatedCluster({ seed: 20 });
  return await cluster.run(async () => {
    await cluster.start();
    const [leader, candidate, observer] = [cluster.client(), cluster.client(), cluster.client()];
    const seen: string[] = [];
    const over = new AbortController();
    const observing = (async () => {
      for await (const value of subject.observe(observer.client, over.signal)) seen.push(value);
    })().catch(() => {});
    await cluster.sleep(500);
    await createElection(leader.client, name, { ttlSec: 10 }).campaign("leader");
    void createElection(candidate.client, name, { ttlSec: 10 })
      .campaign("mere candidate")
      .catch(() => {});
    await cluster.sleep(2_000);
    over.abort();
    await observing;
    return seen;
  });
}

describe("T19: two leaders between loss and notice", () => {
  test("a leader steps down before another can lead, and nothing that it wrote late is carried out", async () => {
    expect(await partitionedLeader(ours)).toEqual({
      ...{ overlapMs: 0, isWritten: true, isOverwritten: false, value: "of the second" },
    });
  });

  test("the naive leader leads beside the next one, and overwrites what that has written", async () => {
    const { overlapMs, isOverwritten, value } = await partitionedLeader(naive);
    expect(overlapMs).toBeGreaterThan(0);
    expect({ isOverwritten, value }).toEqual({ isOverwritten: true, value: "of the first" });
  });

  test("an observer never names a mere candidate", async () => {
    expect(await observedWhileAnotherStands(ours)).toEqual(["leader"]);
  });

  test("the naive observer does", async () => {
    expect(await observedWhileAnotherStands(naive)).toEqual(["leader", "mere candidate"]);
  });
});
