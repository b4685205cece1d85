/** @module T13: the end of a lease is counted from when the answer came, and on a clock that somebody may set. */
import { createLock } from "@conclave/lock";
import { RangeRequest } from "@conclave/protocol/etcdserverpb";
import { SimulatedCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { acquireNaively } from "./naive/queue-lock.ts";

const ttlSec = 6;

/** Cuts the holder off, and looks at each of its locks at the moment at which the store gives it away. */
async function lookWhenLost(
  delayMs: number,
  meddle: (cluster: SimulatedCluster, holder: string) => void,
): Promise<{ readonly ours: boolean; readonly naive: boolean }> {
  const cluster = new SimulatedCluster({ seed: 13, members: 1, link: { delayMs: [delayMs, delayMs] } });
  return await cluster.run(async () => {
    await cluster.start();
    const holder = cluster.client();
    const ours = await createLock(holder.client, "ours", { ttlSec }).acquire();
    const naive = await acquireNaively(holder.client, "naive", { ttlSec });
    // A moment at which no renewal is under way, and the last one's answer has come.
    await cluster.sleep(10_600);
    expect([ours.held, naive.heldByClock]).toEqual([true, true]);
    cluster.isolate(holder.name);
    meddle(cluster, holder.name);
    const lookAt = async (key: string, look: () => boolean): Promise<boolean> => {
      while (isStored(cluster, key)) await cluster.sleep(5);
      return look();
    };
    const [oursIsHeld, naiveIsHeld] = await Promise.all([
      lookAt(ours.key, () => ours.held),
      lookAt(naive.key, () => naive.heldByClock),
    ]);
    return { ours: oursIsHeld, naive: naiveIsHeld };
  });
}

function isStored(cluster: SimulatedCluster, key: string): boolean {
  const request = RangeRequest.fromPartial({ key: new TextEncoder().encode(key) });
  return (cluster.machine("m1").member?.store.range(request).kvs.length ?? 0) > 0;
}

describe("T13: a lock that the store has given to somebody else", () => {
  test("is not held by one whose wall clock was set back", async () => {
    const seen = await lookWhenLost(1, (cluster, holder) => cluster.jumpWall(holder, -3_600_000));
    expect(seen).toEqual({ ours: false, naive: true });
  });

  test("is not held by one whose last answer was long on its way", async () => {
    const seen = await lookWhenLost(800, () => {});
    expect(seen).toEqual({ ours: false, naive: true });
  });
});
