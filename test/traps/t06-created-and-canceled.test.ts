import { allKeys } from "@conclave/client";
import { modelCluster } from "@conclave/client/testing/model-client";
import { WatchResponse } from "@conclave/protocol/etcdserverpb";
import { describe, expect, test } from "vitest";
import { NaiveWatcher } from "./naive/watcher.ts";

/** A member that refuses every watch in the one frame in which it confirms it, without its id, as etcd does. */
function scene() {
  const cluster = modelCluster();
  const frame = { watchId: -1n, created: true, canceled: true, cancelReason: "etcdserver: permission denied" };
  cluster.network.members.set("m1:1", {
    unary: () => new Uint8Array(0),
    stream(stream) {
      stream.onRequest = () => stream.send(WatchResponse.encode(WatchResponse.fromPartial(frame)).finish());
    },
  });
  return cluster;
}

describe("T6: created and canceled in one frame, with watch id -1", () => {
  test("ends the watch with the member's reason", async () => {
    const { client, time } = scene();
    const watcher = client.watch(allKeys());
    await time.advance(100);
    expect(await time.complete(watcher.ended)).toMatchObject({ code: "PERMISSION_DENIED" });
  });

  test("is missed by who looks its watches up by id", async () => {
    const { network, time } = scene();
    const naive = new NaiveWatcher(network, time, { from: 1, cursor: "event", onEvent: () => {} });
    await time.advance(60_000);
    expect(naive.ended).toBe(false);
  });
});
