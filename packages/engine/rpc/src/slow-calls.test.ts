import { setTimeout as sleep } from "node:timers/promises";
import { KeyValue } from "@conclave/protocol/mvccpb";
import { expect, test } from "vitest";
import { frameMessage } from "./message-frame.ts";
import type { ServerCall } from "./server-call.ts";
import { bindService, unimplemented } from "./service.ts";
import { EchoDefinition, keyValue } from "./testing/echo-service.ts";
import { RawClient } from "./testing/raw-client.ts";
import { startEchoServer } from "./testing/start-server.ts";

const request = frameMessage(KeyValue.encode(keyValue("k")).finish());

test("tells of calls with one answer that took longer than they should, not of streams", async () => {
  const slow: [string, number][] = [];
  const echo = bindService(EchoDefinition, {
    say: (said) => sleep(20, said),
    count: async () => void (await sleep(20)),
    join: unimplemented,
    chat: unimplemented,
    never: unimplemented,
  });
  const onSlowCall = ({ path }: ServerCall, tookMs: number) => void slow.push([path, tookMs]);
  await using server = await startEchoServer({ services: [echo], slowCallMs: 10, onSlowCall });
  using client = new RawClient(server.url);
  for (const method of ["Count", "Say"]) {
    const { stream, answer } = client.open(`/test.Echo/${method}`);
    stream.end(request);
    await answer;
  }
  expect(slow).toEqual([["/test.Echo/Say", expect.any(Number)]]);
  expect(slow[0]?.[1]).toBeGreaterThan(10);
});
