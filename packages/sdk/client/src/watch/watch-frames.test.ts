/** @module T6: every combination of flags and ids that a member may put into one frame. */
import { utf8 } from "@conclave/base";
import { wireErrors } from "@conclave/protocol";
import { WatchRequest, WatchResponse } from "@conclave/protocol/etcdserverpb";
import { type Event, Event_EventType as EventType } from "@conclave/protocol/mvccpb";
import { virtualTime } from "@conclave/testkit";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createClient } from "../client.ts";
import { allKeys } from "../kv/key-range.ts";
import { FakeNetwork, type FakeStream } from "../testing/fake-network.ts";
import { WatchAssembler, type WatchStep } from "./watch-assembler.ts";

type Frame = Partial<Omit<WatchResponse, "header">>;

/** A client whose member is the test. */
function scripted() {
  const time = virtualTime(1);
  const network = new FakeNetwork();
  const requests: NonNullable<WatchRequest["requestUnion"]>[] = [];
  network.members.set("m:1", {
    unary: () => new Uint8Array(0),
    stream(stream) {
      stream.onRequest = (bytes) => {
        const { requestUnion } = WatchRequest.decode(bytes);
        if (requestUnion !== undefined) requests.push(requestUnion);
      };
    },
  });
  const client = createClient({
    endpoints: "m:1",
    transport: network,
    clock: time,
    scheduler: time,
    random: time.random,
  });
  const send = (frame: Frame, stream: FakeStream | undefined = network.streams.at(-1)) =>
    stream?.send(WatchResponse.encode(WatchResponse.fromPartial({ ...frame, header: { revision: 100 } })).finish());
  const created = () => requests.flatMap((request) => (request.$case === "createRequest" ? [request.value] : []));
  return { time, network, client, requests, send, created };
}

function put(key: string, modRevision: number): Event {
  const kv = { key: utf8(key), modRevision, createRevision: modRevision, version: 1, value: utf8(""), lease: 0n };
  return { type: EventType.PUT, kv, prevKv: undefined };
}

describe("T6: frames of a watch stream", () => {
  test("created and canceled at once, without an id, ends the oldest request that has no answer and no other", async () => {
    const { client, send, time } = scripted();
    const [first, second, third] = [client.watch("a"), client.watch("b"), client.watch("c")];
    send({ watchId: 1n, created: true });
    send({ watchId: -1n, created: true, canceled: true, cancelReason: wireErrors.PermissionDenied.text });
    send({ watchId: 3n, created: true });
    expect((await time.complete(second.ended))?.code).toBe("PERMISSION_DENIED");
    expect(await time.complete(Promise.all([first.ready(), third.ready()]))).toEqual([100, 100]);
  });

  test("created and canceled at once, with the id, ends that watch", async () => {
    const { client, send, time } = scripted();
    const watcher = client.watch("a", { from: 5 });
    send({ watchId: 1n, created: true, canceled: true, compactRevision: 50 });
    expect((await time.complete(watcher.ended))?.details.compactRevision).toBe(50);
  });

  test("a refusal that may pass is asked again", async () => {
    const { client, send, time, created } = scripted();
    const watcher = client.watch("a", { from: 5 });
    send({ watchId: 1n, created: true, canceled: true, cancelReason: wireErrors.NoLeader.text });
    await time.run(() => created().length === 2);
    send({ watchId: created()[1]?.watchId ?? 0n, created: true });
    expect(await time.complete(watcher.ready())).toBe(4);
  });

  test("a cancellation for a reason nobody knows is told with it", async () => {
    const { client, send, time } = scripted();
    const watcher = client.watch("a");
    send({ watchId: 1n, created: true });
    send({ watchId: 1n, canceled: true, cancelReason: "for reasons of its own" });
    expect(await time.complete(watcher.ended)).toMatchObject({
      code: "WATCH_CANCELED",
      details: { reason: "for reasons of its own" },
    });
  });

  test("a watch that was canceled is not asked for again, and the last one closes the stream", async () => {
    const { client, send, time, network, created } = scripted();
    const [first, second] = [client.watch("a"), client.watch("b")];
    send({ watchId: 1n, created: true, canceled: true });
    await time.complete(first.ended);
    network.streams[0]?.end();
    await time.run(() => network.streams.length === 2);
    expect(created().map(({ watchId }) => watchId)).toEqual([1n, 2n, 3n]);
    send({ watchId: 3n, created: true });
    send({ watchId: 3n, canceled: true });
    await time.complete(second.ended);
    expect(network.streams[1]?.open).toBe(false);
    expect(time.pendingTimers).toBe(0);
  });

  test("an id chosen by a proxy is used from then on", async () => {
    const { client, send, time, requests } = scripted();
    const watcher = client.watch(allKeys());
    const other = client.watch(allKeys());
    send({ watchId: 7_000n, created: true });
    send({ watchId: 7_001n, created: true });
    send({ watchId: 7_000n, events: [put("a", 101)] });
    const iterator = watcher[Symbol.asyncIterator]();
    expect((await time.complete(iterator.next())).value?.revision).toBe(101);
    watcher.close();
    expect(requests.at(-1)).toEqual({ $case: "cancelRequest", value: { watchId: 7_000n } });
    other.close();
  });

  test("a watch closed before its answer came is canceled under the id a proxy gave it", async () => {
    const { client, send, requests } = scripted();
    const watcher = client.watch("a");
    client.watch("b");
    watcher.close();
    send({ watchId: 7_000n, created: true });
    expect(requests.at(-1)).toEqual({ $case: "cancelRequest", value: { watchId: 7_000n } });
  });

  test("frames for watches that are closed or were never asked for are ignored", async () => {
    const { client, send, time } = scripted();
    const [closed, open] = [client.watch("a"), client.watch("b")];
    closed.close();
    send({ watchId: 1n, created: true });
    send({ watchId: 1n, events: [put("a", 101)] });
    send({ watchId: 1n, canceled: true });
    send({ watchId: 99n, events: [put("b", 101)] });
    send({ watchId: 99n, canceled: true });
    send({ watchId: 2n, created: true });
    expect(await time.complete(open.ready())).toBe(100);
    expect(closed.cursor).toBeUndefined();
  });

  test("events with the flag of creation are told after it", async () => {
    const { client, send, time } = scripted();
    const watcher = client.watch("a", { from: 90 });
    send({ watchId: 1n, created: true, events: [put("a", 95)] });
    expect((await time.complete(watcher[Symbol.asyncIterator]().next())).value?.revision).toBe(95);
    expect(await time.complete(watcher.ready())).toBe(89);
  });

  test("a frame that is no message ends the stream, and the watch goes on with the next", async () => {
    const { client, network, time } = scripted();
    client.watch("a");
    network.streams[0]?.send(Uint8Array.of(0xff));
    await time.run(() => network.streams.length === 2);
    expect(network.streams[0]?.open).toBe(false);
  });
});

const anyResponse = fc.record({
  header: fc.record({ revision: fc.nat(30) }),
  created: fc.boolean(),
  canceled: fc.boolean(),
  fragment: fc.boolean(),
  compactRevision: fc.nat(30),
  revisions: fc.array(fc.nat(30), { maxLength: 6 }).map((revisions) => revisions.sort((left, right) => left - right)),
});

describe("WatchAssembler", () => {
  test("tells whole revisions in ascending order and nothing twice, whatever frames come", () => {
    fc.assert(
      fc.property(
        fc.option(fc.nat(30), { nil: undefined }),
        fc.array(anyResponse, { maxLength: 12 }),
        (start, frames) => {
          const assembler = new WatchAssembler(start);
          let last = start ?? 0;
          for (const { revisions, ...flags } of frames) {
            const response = WatchResponse.fromPartial({
              ...flags,
              events: revisions.map((revision) => put("k", revision)),
            });
            for (const step of assembler.accept(response)) last = checkStep(step, last, assembler.cursor);
          }
        },
      ),
    );
  });
});

function checkStep(step: WatchStep, last: number, cursor: number | undefined): number {
  if (step.kind === "canceled") return last;
  expect(cursor).toBe(step.revision);
  if (step.kind === "created") return Math.max(last, step.revision);
  expect(step.revision).toBeGreaterThan(last);
  if (step.kind === "batch")
    expect(new Set(step.events.map(({ kv }) => kv?.modRevision))).toEqual(new Set([step.revision]));
  return step.revision;
}
