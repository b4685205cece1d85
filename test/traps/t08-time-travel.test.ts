import { modelCluster } from "@conclave/client/testing/model-client";
import { RangeRequest, RangeResponse } from "@conclave/protocol/etcdserverpb";
import { describe, expect, test } from "vitest";
import { NaiveClient } from "./naive/retrying-client.ts";

/** Two members; the second has applied less than the first. */
function scene() {
  const cluster = modelCluster({ members: 2 });
  const answers = { "m1:1": 20, "m2:1": 10 };
  for (const [endpoint, revision] of Object.entries(answers))
    cluster.network.members.set(endpoint, {
      unary: () =>
        RangeResponse.encode(
          RangeResponse.fromPartial({ header: { clusterId: 1n, memberId: 1n, revision, raftTerm: 1 } }),
        ).finish(),
      stream() {},
    });
  return cluster;
}

describe("T8: serializable reads after a fail-over", () => {
  test("never go back behind what the client has seen", async () => {
    const { client, time, network } = scene();
    network.reachability.set("m2:1", "refuses");
    expect((await time.complete(client.range("k", { serializable: true }))).revision).toBe(20);
    network.reachability.set("m1:1", "refuses");
    network.reachability.set("m2:1", "up");
    const old = client.range("k", { serializable: true });
    await expect(time.complete(old)).rejects.toMatchObject({
      code: expect.stringMatching(/STALE_READ|UNAVAILABLE/) as string,
    });
    network.reachability.set("m1:1", "up");
    expect((await time.complete(client.range("k", { serializable: true }))).revision).toBe(20);
  });

  test("asked of members in turn travel back in time", async () => {
    const { network } = scene();
    const naive = new NaiveClient(network, ["m1:1", "m2:1"], 1);
    const read = async () => {
      const request = RangeRequest.encode(RangeRequest.fromPartial({ serializable: true })).finish();
      return RangeResponse.decode(await naive.call("/etcdserverpb.KV/Range", request)).header?.revision;
    };
    expect([await read(), await read()]).toEqual([20, 10]);
  });
});
