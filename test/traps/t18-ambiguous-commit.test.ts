import { TransportError } from "@conclave/client";
import { modelCluster } from "@conclave/client/testing/model-client";
import { GrpcStatus } from "@conclave/protocol";
import { PutRequest, PutResponse } from "@conclave/protocol/etcdserverpb";
import { describe, expect, test } from "vitest";
import { NaiveClient } from "./naive/retrying-client.ts";

/** A member that applies every put, and whose first answer is lost. */
function scene() {
  const cluster = modelCluster();
  const applied: string[] = [];
  cluster.network.members.set("m1:1", {
    unary(call) {
      applied.push(call.path);
      if (applied.length === 1) throw new TransportError(GrpcStatus.Unavailable, "Connection dropped");
      return PutResponse.encode(PutResponse.fromPartial({})).finish();
    },
    stream() {},
  });
  return { ...cluster, applied };
}

describe("T18: the answer to a commit is lost", () => {
  test("the outcome is said to be unknown, as a value where values are typed, and nothing is done twice", async () => {
    const { client, time, applied } = scene();
    await expect(time.complete(client.put("k", "v"))).rejects.toMatchObject({
      code: "OUTCOME_UNKNOWN",
      maybeApplied: true,
      retryable: false,
    });
    expect(applied).toHaveLength(1);
    const typed = scene();
    const keys = typed.client.keyspace("k/", { value: { encode: () => new Uint8Array(1), decode: () => 0 } });
    expect(await typed.time.complete(keys.put("a", 1))).toMatchObject({ kind: "unknown" });
    expect(typed.applied).toHaveLength(1);
  });

  test("who tries again after any failure does it twice", async () => {
    const { network, applied } = scene();
    const request = PutRequest.encode(PutRequest.fromPartial({ key: new Uint8Array(1) })).finish();
    await new NaiveClient(network, ["m1:1"], 3).call("/etcdserverpb.KV/Put", request);
    expect(applied).toHaveLength(2);
  });
});
