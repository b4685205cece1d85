import { modelCluster } from "@conclave/client/testing/model-client";
import { RangeRequest } from "@conclave/protocol/etcdserverpb";
import { describe, expect, test } from "vitest";
import { NaiveClient } from "./naive/retrying-client.ts";

describe("T22: an endpoint is dead", () => {
  test("it is asked rarely, no call fails, and all failing the last real error is told", async () => {
    const { client, network, time } = modelCluster({ members: 3 });
    network.reachability.set("m2:1", "refuses");
    for (let n = 0; n < 50; n++) await time.complete(client.get("k"));
    expect(network.calls.filter(({ endpoint }) => endpoint === "m2:1").length).toBeLessThanOrEqual(1);
    for (const endpoint of ["m1:1", "m3:1"]) network.reachability.set(endpoint, "refuses");
    const failure = time.complete(client.get("k", { timeoutMs: 2_000 }));
    await expect(failure).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("ECONNREFUSED") as string,
    });
  });

  test("in turns it is asked every third time", async () => {
    const { network } = modelCluster({ members: 3 });
    network.reachability.set("m2:1", "refuses");
    const naive = new NaiveClient(network, ["m1:1", "m2:1", "m3:1"], 1);
    const request = RangeRequest.encode(RangeRequest.fromPartial({ key: new Uint8Array(1) })).finish();
    const calls = Array.from({ length: 30 }, () => naive.call("/etcdserverpb.KV/Range", request));
    const outcomes = await Promise.allSettled(calls);
    expect(outcomes.filter(({ status }) => status === "rejected")).toHaveLength(10);
  });
});
