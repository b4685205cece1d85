import { utf8 } from "@conclave/base";
import { type ClientStream, type ClientTransport, type StreamSink, TransportError } from "@conclave/client";
import { GrpcStatus } from "@conclave/protocol";
import {
  type ResponseHeader,
  type WatchCreateRequest,
  WatchRequest,
  WatchResponse,
} from "@conclave/protocol/etcdserverpb";
import { type Event, Event_EventType, KeyValue } from "@conclave/protocol/mvccpb";
import { describe, expect, test } from "vitest";
import { createWatchResponses, ProgressQuestion, type WatchResponses } from "./watch-responses.ts";

/** One stream as the server sees it. */
class FakeStream {
  readonly endpoint: string;
  readonly #sink: StreamSink;
  request: WatchCreateRequest | undefined;
  progressRequests = 0;
  canceled = false;
  paused = false;

  constructor(endpoint: string, sink: StreamSink) {
    this.endpoint = endpoint;
    this.#sink = sink;
  }

  get client(): ClientStream {
    return {
      write: (bytes) => {
        const { requestUnion } = WatchRequest.decode(bytes);
        if (requestUnion?.$case === "createRequest") this.request = requestUnion.value;
        if (requestUnion?.$case === "progressRequest") this.progressRequests++;
      },
      halfClose: () => undefined,
      cancel: () => {
        this.canceled = true;
      },
      pause: () => {
        this.paused = true;
      },
      resume: () => {
        this.paused = false;
      },
    };
  }

  send(response: Partial<WatchResponse>): void {
    const nothing = WatchResponse.fromPartial({});
    this.#sink.onMessage(WatchResponse.encode({ ...nothing, ...response }).finish());
  }

  fail(status: GrpcStatus): void {
    this.#sink.onEnd(new TransportError(status, "the words of the failure"));
  }
}

/** A transport of streams that the test plays the server of, and watches on it. */
function fakeServer(): { readonly streams: FakeStream[]; readonly watch: WatchResponses } {
  const streams: FakeStream[] = [];
  const transport: ClientTransport = {
    unary: () => Promise.reject(new Error("no unary calls here")),
    stream({ endpoint }, sink) {
      const stream = new FakeStream(endpoint, sink);
      streams.push(stream);
      return stream.client;
    },
    close: () => undefined,
  };
  const scheduler = {
    after(_delayMs: number, task: () => void) {
      queueMicrotask(task);
      return { cancel: () => undefined };
    },
    atTurnEnd: queueMicrotask,
  };
  return { streams, watch: createWatchResponses({ transport, addresses: ["one", "two"], scheduler }) };
}

const at = (revision: number): ResponseHeader => ({ clusterId: 1n, memberId: 2n, revision, raftTerm: 2 });
const put = (key: string, modRevision: number): Event => ({
  type: Event_EventType.PUT,
  kv: KeyValue.fromPartial({ key: utf8(key), modRevision }),
  prevKv: undefined,
});

describe("watch responses", () => {
  test("come whole; the one that confirms the watch is kept back", async () => {
    const { streams, watch } = fakeServer();
    const iterator = watch({ key: utf8("k") })[Symbol.asyncIterator]();
    const first = iterator.next();
    streams[0]?.send({ header: at(5), created: true });
    streams[0]?.send({ header: at(6), events: [put("k", 6)] });
    expect((await first).value).toMatchObject({ header: at(6), events: [{ kv: { modRevision: 6 } }] });
    await iterator.return?.();
    expect(streams[0]?.canceled).toBe(true);
  });

  test("go on at another server after the last revision told", async () => {
    const { streams, watch } = fakeServer();
    const iterator = watch({ key: utf8("k"), startRevision: 3n, prevKv: true })[Symbol.asyncIterator]();
    const first = iterator.next();
    streams[0]?.send({ header: at(9), created: true });
    streams[0]?.send({ header: at(9), events: [put("k", 3), put("k", 7)] });
    await first;
    const second = iterator.next();
    streams[0]?.fail(GrpcStatus.Unavailable);
    await expect.poll(() => streams.length).toBe(2);
    expect(streams[1]).toMatchObject({ endpoint: "two", request: { startRevision: 8n, prevKv: true } });
    streams[1]?.send({ header: at(10), events: [put("k", 10)] });
    expect((await second).value).toMatchObject({ events: [{ kv: { modRevision: 10 } }] });
  });

  test("miss nothing if the connection is lost before the first event", async () => {
    const { streams, watch } = fakeServer();
    const next = watch({ key: utf8("k") })
      [Symbol.asyncIterator]()
      .next();
    streams[0]?.send({ header: at(5), created: true });
    await new Promise(setImmediate);
    streams[0]?.fail(GrpcStatus.Unavailable);
    await expect.poll(() => streams.length).toBe(2);
    expect(streams[1]?.request?.startRevision).toBe(6n);
    streams[1]?.send({ canceled: true });
    await next;
  });

  test("end after the one that cancels the watch", async () => {
    const { streams, watch } = fakeServer();
    const iterator = watch({ key: utf8("k") })[Symbol.asyncIterator]();
    const first = iterator.next();
    streams[0]?.send({ created: true, canceled: true, compactRevision: 4 });
    expect((await first).value).toMatchObject({ canceled: true, compactRevision: 4 });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  test("end with a failure that another try would meet again", async () => {
    const { streams, watch } = fakeServer();
    const next = watch({ key: utf8("k") })
      [Symbol.asyncIterator]()
      .next();
    streams[0]?.fail(GrpcStatus.PermissionDenied);
    await expect(next).rejects.toThrow("the words of the failure");
    expect(streams).toHaveLength(1);
  });

  test("tell how far the watch is when it is asked, as long as it stands", async () => {
    const { streams, watch } = fakeServer();
    const progress = new ProgressQuestion();
    const iterator = watch({ key: utf8("k") }, { progress })[Symbol.asyncIterator]();
    progress.ask();
    const first = iterator.next();
    progress.ask();
    expect(streams[0]?.progressRequests).toBe(1);
    streams[0]?.send({ header: at(5), created: true });
    streams[0]?.send({ header: at(7) });
    expect((await first).value).toMatchObject({ header: at(7), events: [] });
    await iterator.return?.();
    progress.ask();
    expect(streams[0]?.progressRequests).toBe(1);
  });

  test("end when the caller aborts", async () => {
    const { streams, watch } = fakeServer();
    const controller = new AbortController();
    const next = watch({ key: utf8("k") }, { signal: controller.signal })
      [Symbol.asyncIterator]()
      .next();
    controller.abort(new Error("enough"));
    await expect(next).rejects.toThrow();
    expect(streams[0]?.canceled).toBe(true);
  });

  test("are not read off the network faster than they are consumed", async () => {
    const { streams, watch } = fakeServer();
    const iterator = watch({ key: utf8("k") })[Symbol.asyncIterator]();
    const first = iterator.next();
    for (let revision = 1; revision <= 200; revision++) streams[0]?.send({ events: [put("k", revision)] });
    await first;
    expect(streams[0]?.paused).toBe(true);
    for (let told = 2; told <= 200; told++) await iterator.next();
    await expect.poll(() => streams[0]?.paused).toBe(false);
  });
});
