import { createClient, createGrpcTransport } from "@conclave/client";
import { WatchRequest } from "@conclave/protocol/etcdserverpb";
import { startMember, type TestMember } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { naiveChannel, naiveStream } from "./naive/grpc-client.ts";

describe("T21: a server ends connections that ping too often", () => {
  let member: TestMember;

  beforeAll(async () => {
    member = await startMember();
  });
  afterAll(() => member?.[Symbol.asyncDispose]());

  test("a client that is told to ping often does so as rarely as it must, while a naive one is thrown out", async () => {
    const transport = createGrpcTransport({ keepaliveTimeMs: 200 });
    await using client = createClient({ endpoints: member.endpoint, transport });
    const watcher = client.watch("k");
    let disconnected = 0;
    watcher.on("disconnected", () => {
      disconnected++;
    });
    await watcher.ready();

    const channel = naiveChannel(member.endpoint, {
      "grpc.keepalive_time_ms": 200,
      "grpc.keepalive_permit_without_calls": 1,
    });
    const stream = naiveStream(channel, "/etcdserverpb.Watch/Watch");
    const value = { key: new Uint8Array(1), rangeEnd: new Uint8Array(1) };
    stream.write(
      WatchRequest.encode(WatchRequest.fromPartial({ requestUnion: { $case: "createRequest", value } })).finish(),
    );
    const failure = await new Promise<Error>((resolve) => {
      stream.on("error", resolve);
      stream.resume();
    });
    expect(failure.message).toMatch(/too_many_pings|UNAVAILABLE|RESOURCE_EXHAUSTED/);
    channel.close();

    await client.put("k", "still heard");
    for await (const { events } of watcher) if (events.length > 0) break;
    expect(disconnected).toBe(0);
  });
});
