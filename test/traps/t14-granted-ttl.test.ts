import { modelCluster } from "@conclave/client/testing/model-client";
import { describe, expect, test } from "vitest";
import { NaiveLease } from "./naive/lease.ts";

describe("T14: the member decides on the time to live", () => {
  test("a session counts with the TTL of each answer, and the lease of one that is held is there", async () => {
    const { client, lessor, time } = modelCluster();
    const session = await time.complete(client.session({ ttlSec: 30 }));
    const naive = new NaiveLease(time, 30);
    session.on("renewed", () => naive.onAnswer());
    // As after a change of leader: from the next renewal on the lease lives shorter.
    lessor.changeTtl(session.lease, 3);
    await time.advance(20_000);
    expect(session.ttlSec).toBe(3);
    lessor.answers = false;
    await time.advance(4_000);
    expect(lessor.live).toEqual([]);
    expect(session.held).toBe(false);
    // Who counts with what was asked for takes itself for the holder of a lease that is gone.
    expect(naive.held).toBe(true);
  });

  test("a TTL that was raised is used too: fewer renewals", async () => {
    const { client, lessor, time } = modelCluster();
    lessor.ttlSecMin = 60;
    const session = await time.complete(client.session({ ttlSec: 2 }));
    expect(session.ttlSec).toBe(60);
    await time.advance(60_000);
    expect(lessor.keepAlives).toBeLessThanOrEqual(4);
    expect(session.held).toBe(true);
  });
});
