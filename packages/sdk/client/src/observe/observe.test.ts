import { tracingChannel } from "node:diagnostics_channel";
import { describe, expect, test } from "vitest";
import { modelCluster } from "../testing/model-client.ts";
import { type CallTrace, callChannelName } from "./call-tracing.ts";
import type { ClientStatus } from "./client-status.ts";

describe("status()", () => {
  test("tells of endpoints, streams and sessions, to iterations and handlers alike", async () => {
    const { client, network, time } = modelCluster();
    const heard: ClientStatus[] = [];
    client.on("status", (status) => heard.push(status));
    const statuses = client.status();
    const session = await time.complete(client.session({ ttlSec: 2 }));
    network.reachability.set("m1:1", "refuses");
    for (const stream of network.streams) stream.end();
    await time.advance(10_000);
    expect(session.held).toBe(false);
    network.reachability.set("m1:1", "up");
    await time.complete(client.get("k"));
    await time.complete(client.close());
    const told: ClientStatus[] = [];
    for await (const status of statuses) told.push(status);
    expect(told).toEqual(heard);
    const types = new Set(told.map(({ type }) => type));
    expect(types).toEqual(new Set(["endpointDown", "sessionLost", "endpointUp", "closed"]));
  });

  test("counts what a slow iteration misses, and ends with its signal", async () => {
    const { client, network, time } = modelCluster();
    const controller = new AbortController();
    const statuses = client.status({ signal: controller.signal })[Symbol.asyncIterator]();
    network.reachability.set("m1:1", "refuses");
    for (let n = 0; n < 300; n++) await time.complete(client.get("k", { timeoutMs: 0.001 }).catch(() => {}));
    const first = await statuses.next();
    expect(first.value).toMatchObject({ type: "endpointDown", failures: 1 });
    for (let n = 0; n < 255; n++) await statuses.next();
    await time.complete(client.get("k", { timeoutMs: 0.001 }).catch(() => {}));
    expect((await statuses.next()).value).toMatchObject({ type: "missed" });
    const ended = (async () => {
      for (;;) if ((await statuses.next()).done) return undefined;
    })();
    controller.abort(new Error("enough"));
    await expect(ended).rejects.toMatchObject({ code: "ABORTED", cause: new Error("enough") });
  });
});

test("calls are told to who listens on the tracing channel, with every member asked", async () => {
  const { client, network, time } = modelCluster({ members: 2 });
  network.reachability.set("m1:1", "refuses");
  const seen: string[] = [];
  const note = (kind: string) => (trace: unknown) => {
    const { method, endpoints } = trace as CallTrace;
    seen.push(`${kind} ${method} ${endpoints.length}`);
  };
  const listeners = { start: note("start"), asyncEnd: note("asyncEnd"), error: note("error") };
  const channel = tracingChannel(callChannelName);
  channel.subscribe(listeners as Parameters<typeof channel.subscribe>[0]);
  try {
    const answer = client.get("k", { timeoutMs: 5_000 });
    await time.complete(answer);
    expect(seen.splice(0)).toEqual([
      "start etcdserverpb.KV/Range 0",
      `asyncEnd etcdserverpb.KV/Range ${network.calls.length}`,
    ]);
    await time.complete(client.put("k", "v").catch(() => {}));
    expect(seen.map((line) => line.split(" ")[0])).toEqual(["start", "error", "asyncEnd"]);
  } finally {
    channel.unsubscribe(listeners as Parameters<typeof channel.unsubscribe>[0]);
  }
  await time.complete(client.get("k"));
  expect(seen).toHaveLength(3);
});
