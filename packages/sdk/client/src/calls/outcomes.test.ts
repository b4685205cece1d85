/** @module T18 and T22: what becomes of calls whose members fail them. */
import { GrpcStatus, type WireErrorName, wireErrors } from "@conclave/protocol";
import { PutResponse, RangeResponse, TxnResponse } from "@conclave/protocol/etcdserverpb";
import { virtualTime } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { createClient } from "../client.ts";
import { type ConclaveError, isConclaveError } from "../conclave-error.ts";
import { compare } from "../kv/compare.ts";
import { op } from "../kv/op.ts";
import { connectionLost, FakeNetwork } from "../testing/fake-network.ts";
import { wireFailure } from "../testing/wire-failure.ts";
import { TransportError, type UnaryCall } from "../transport/transport.ts";

const header = { clusterId: 1n, memberId: 1n, revision: 7, raftTerm: 1 };
const putAnswer = PutResponse.encode(PutResponse.fromPartial({ header })).finish();
const rangeAnswer = RangeResponse.encode(RangeResponse.fromPartial({ header })).finish();

type Answer = Uint8Array | TransportError | "silence";

/** A client whose members answer from a script, then for ever with the last line. */
function scripted(script: readonly Answer[], options: { readonly members?: number } = {}) {
  const time = virtualTime(1);
  const network = new FakeNetwork();
  const endpoints = Array.from({ length: options.members ?? 2 }, (_, index) => `m${index + 1}:1`);
  let line = 0;
  const unary = (_call: UnaryCall): Promise<Uint8Array> => {
    const answer = script[Math.min(line++, script.length - 1)];
    if (answer instanceof TransportError) return Promise.reject(answer);
    return answer instanceof Uint8Array ? Promise.resolve(answer) : new Promise(() => {});
  };
  for (const endpoint of endpoints) network.members.set(endpoint, { unary, stream: () => {} });
  const client = createClient({ endpoints, transport: network, clock: time, scheduler: time, random: time.random });
  return { time, network, client, asked: () => network.calls.map(({ endpoint }) => endpoint) };
}

async function failureOf(promise: Promise<unknown>): Promise<ConclaveError> {
  const outcome = await promise.then(
    () => "no error",
    (error: unknown) => error,
  );
  if (!isConclaveError(outcome)) throw new Error(`not the error of the SDK: ${outcome}`);
  return outcome;
}

const unsent = new TransportError(
  GrpcStatus.Unavailable,
  "No connection established. Last error: connect ECONNREFUSED",
  { sent: false },
);

describe("T18: a mutation", () => {
  const ambiguous: readonly [string, TransportError][] = [
    ["the connection broke", connectionLost()],
    ["a proxy said that it does not know", new TransportError(GrpcStatus.Unknown, "oops")],
    ["the stream was reset", new TransportError(GrpcStatus.Internal, "Received RST_STREAM with code 2")],
    [
      "the answer was larger than something allows",
      new TransportError(GrpcStatus.ResourceExhausted, "Received message larger than max"),
    ],
    ["the member stopped", wireFailure("Stopped")],
    ["the member gave up waiting", wireFailure("Timeout")],
    ["the leader failed", wireFailure("TimeoutDueToLeaderFail")],
    ["the leader changed", wireFailure("LeaderChanged")],
  ];
  test.each(ambiguous)("sent once when %s, and its outcome is unknown", async (_name, answer) => {
    const { client, time, network } = scripted([answer, putAnswer]);
    const failure = await failureOf(time.complete(client.put("k", "v")));
    expect(failure).toMatchObject({ code: "OUTCOME_UNKNOWN", retryable: false, maybeApplied: true });
    expect(failure.message).toContain(answer.message);
    expect((failure.cause as ConclaveError).cause).toBe(answer);
    expect(network.calls).toHaveLength(1);
  });

  const harmless: readonly [string, TransportError][] = [
    ["no connection could be made", unsent],
    ["the member knew no leader", wireFailure("NoLeader")],
    ["the member had too much to do", wireFailure("RequestTooManyRequests")],
  ];
  test.each(harmless)("made again when %s", async (_name, answer) => {
    const { client, time, network } = scripted([answer, answer, putAnswer]);
    expect((await time.complete(client.put("k", "v"))).revision).toBe(7);
    expect(network.calls).toHaveLength(3);
  });

  test("refused by the member ends in the member's error, and is not made again", async () => {
    const { client, time, network } = scripted([wireFailure("NoSpace"), putAnswer]);
    const failure = await failureOf(time.complete(client.put("k", "v")));
    expect(failure).toMatchObject({
      code: "NO_SPACE",
      retryable: false,
      maybeApplied: false,
      grpcStatus: GrpcStatus.ResourceExhausted,
    });
    expect(failure.message).toBe(wireErrors.NoSpace.text);
    expect(network.calls).toHaveLength(1);
  });

  test("too large for the member's gRPC layer was refused", async () => {
    const text = "grpc: received message larger than max (2097172 vs. 2097152)";
    const { client, time } = scripted([new TransportError(GrpcStatus.ResourceExhausted, text)]);
    expect(await failureOf(time.complete(client.put("k", "v")))).toMatchObject({
      code: "REQUEST_TOO_LARGE",
      maybeApplied: false,
    });
  });

  test("without an answer in time has an unknown outcome", async () => {
    const { client, time, network } = scripted(["silence"]);
    const failure = await failureOf(time.complete(client.put("k", "v", { timeoutMs: 3_000 })));
    expect(time.monotonicMs()).toBe(3_000);
    expect(failure).toMatchObject({ code: "OUTCOME_UNKNOWN", maybeApplied: true });
    expect(failure.cause).toMatchObject({ code: "TIMEOUT" });
    expect(network.calls).toHaveLength(1);
  });

  test("aborted under way says that it may have been applied, and keeps the reason", async () => {
    const { client, time } = scripted(["silence"]);
    const controller = new AbortController();
    const putting = client.put("k", "v", { signal: controller.signal });
    await time.settle();
    controller.abort("enough");
    expect(await failureOf(time.complete(putting))).toMatchObject({
      code: "ABORTED",
      cause: "enough",
      maybeApplied: true,
    });
  });

  test("aborted before it was sent changed nothing", async () => {
    const { client, network } = scripted([putAnswer]);
    const failure = await failureOf(client.put("k", "v", { signal: AbortSignal.abort("enough") }));
    expect(failure).toMatchObject({ code: "ABORTED", cause: "enough", maybeApplied: false });
    expect(network.calls).toHaveLength(0);
  });

  test("that no member took in time changed nothing, and the last real error is told", async () => {
    const { client, time } = scripted([unsent]);
    const failure = await failureOf(time.complete(client.put("k", "v")));
    expect(failure).toMatchObject({
      code: "UNAVAILABLE",
      retryable: true,
      maybeApplied: false,
      message: unsent.message,
    });
    expect(failure.details.attempts?.length).toBeGreaterThan(3);
  });

  test("with little time left ends with the error that is known, rather than with a timeout later", async () => {
    const { client, time } = scripted([unsent]);
    const failure = await failureOf(time.complete(client.put("k", "v", { timeoutMs: 300 })));
    expect(failure).toMatchObject({ code: "UNAVAILABLE", message: unsent.message });
    expect(time.monotonicMs()).toBeLessThan(300);
  });

  test("whose time ends while it waits for a connection ends with the real error before that", async () => {
    const { client, time, network } = scripted([unsent], { members: 1 });
    const failing = failureOf(client.put("k", "v", { timeoutMs: 5_000 }));
    await time.settle();
    network.reachability.set("m1:1", "cut off");
    await time.advance(5_000);
    expect(await failing).toMatchObject({ code: "UNAVAILABLE", message: unsent.message, maybeApplied: false });
  });

  test("that the transport itself gave up before it left ends with the real error before that", async () => {
    const late = new TransportError(GrpcStatus.DeadlineExceeded, "Deadline exceeded: waiting for LB pick", {
      sent: false,
    });
    const { client, time } = scripted([unsent, late]);
    const failure = await failureOf(time.complete(client.put("k", "v")));
    expect(failure).toMatchObject({ code: "UNAVAILABLE", message: unsent.message, maybeApplied: false });
  });

  test("called idempotent is made again whatever happened", async () => {
    const { client, time, network } = scripted([connectionLost(), wireFailure("Timeout"), putAnswer]);
    expect((await time.complete(client.put("k", "v", { idempotent: true }))).revision).toBe(7);
    expect(network.calls).toHaveLength(3);
  });

  test("called idempotent remembers that an earlier try may have been applied", async () => {
    const { client, time } = scripted([connectionLost(), unsent]);
    const failure = await failureOf(time.complete(client.put("k", "v", { idempotent: true })));
    expect(failure).toMatchObject({ code: "OUTCOME_UNKNOWN", maybeApplied: true });
  });

  test("in a transaction is one too; a transaction that only reads is not", async () => {
    const answer = TxnResponse.encode(TxnResponse.fromPartial({ header, succeeded: false })).finish();
    const writing = scripted([connectionLost(), answer]);
    const txn = writing.client.txn().if(compare.version("k").equal(0)).then(op.put("k", "v"));
    expect(await failureOf(writing.time.complete(txn.commit()))).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    const reading = scripted([connectionLost(), answer]);
    const look = reading.client.txn().if(compare.version("k").equal(0)).then(op.get("k"));
    expect((await reading.time.complete(look.commit())).succeeded).toBe(false);
  });
});

describe("T22: a read", () => {
  test("is asked of another member after every failure that may pass", async () => {
    const { client, time, asked } = scripted(
      [connectionLost(), wireFailure("NoLeader"), wireFailure("Timeout"), rangeAnswer],
      { members: 4 },
    );
    await time.complete(client.get("k"));
    expect(new Set(asked()).size).toBe(4);
  });

  test("stays with the member that answered", async () => {
    const { client, time, asked } = scripted([connectionLost(), rangeAnswer], { members: 3 });
    await time.complete(client.get("k"));
    await time.advance(60_000);
    for (let n = 0; n < 5; n++) await time.complete(client.get("k"));
    expect(new Set(asked().slice(1)).size).toBe(1);
  });

  test("leaves a silent member when half of its time has passed", async () => {
    const { client, time, asked } = scripted(["silence", rangeAnswer]);
    await time.complete(client.get("k", { timeoutMs: 8_000 }));
    expect(time.monotonicMs()).toBeGreaterThanOrEqual(4_000);
    expect(time.monotonicMs()).toBeLessThan(5_000);
    expect(new Set(asked()).size).toBe(2);
  });

  test("ends with the last real error when all members fail, and lists what was tried", async () => {
    const { client, time } = scripted([unsent]);
    const failure = await failureOf(time.complete(client.get("k")));
    expect(failure).toMatchObject({ code: "UNAVAILABLE", retryable: true, maybeApplied: false });
    expect(failure.message).toContain("ECONNREFUSED");
    const attempts = failure.details.attempts ?? [];
    expect(new Set(attempts.map(({ endpoint }) => endpoint))).toEqual(new Set(["m1:1", "m2:1"]));
    expect(time.monotonicMs()).toBeLessThan(10_000);
  });

  test("without an answer in time ends with TIMEOUT, and the error before it as the cause", async () => {
    const { client, time } = scripted([wireFailure("NoLeader"), "silence"], { members: 1 });
    const failure = await failureOf(time.complete(client.get("k", { timeoutMs: 3_000 })));
    expect(failure).toMatchObject({ code: "TIMEOUT", maybeApplied: false, cause: { code: "NO_LEADER" } });
  });

  test("refused by the member is not asked again", async () => {
    const { client, time, network } = scripted([wireFailure("Compacted"), rangeAnswer]);
    expect(await failureOf(time.complete(client.get("k", { revision: 1 })))).toMatchObject({
      code: "COMPACTED",
      retryable: false,
    });
    expect(network.calls).toHaveLength(1);
  });

  test("whose answer is no message is asked again", async () => {
    const { client, time, network } = scripted([Uint8Array.of(0xff), rangeAnswer]);
    await time.complete(client.get("k"));
    expect(network.calls).toHaveLength(2);
  });

  test("of a closed client is refused", async () => {
    const { client, time, network } = scripted(["silence"]);
    const waiting = failureOf(client.get("k"));
    await time.complete(client.close());
    expect((await waiting).code).toBe("CLOSED");
    expect((await failureOf(client.get("k"))).code).toBe("CLOSED");
    expect(network.closed).toBe(true);
    expect(time.pendingTimers).toBe(0);
  });

  test("asks a member without a leader to refuse, unless it is serializable", async () => {
    const { client, time, network } = scripted([rangeAnswer]);
    await time.complete(client.get("k"));
    await time.complete(client.get("k", { serializable: true }));
    expect(network.calls.map(({ metadata }) => metadata.hasleader)).toEqual(["true", undefined]);
  });
});

describe("T8: a serializable read", () => {
  const at = (revision: number) =>
    RangeResponse.encode(RangeResponse.fromPartial({ header: { ...header, revision } })).finish();

  test("does not go back behind what the client has seen: it asks another member", async () => {
    const { client, time, asked } = scripted([at(10), at(9), at(10)]);
    await time.complete(client.get("k"));
    const { revision } = await time.complete(client.range("k", { serializable: true }));
    expect(revision).toBe(10);
    expect(new Set(asked().slice(1)).size).toBe(2);
  });

  test("ends with STALE_READ if no member has caught up", async () => {
    const { client, time } = scripted([at(10), at(9)]);
    await time.complete(client.get("k"));
    const failure = await failureOf(time.complete(client.range("k", { serializable: true })));
    expect(failure).toMatchObject({ code: "STALE_READ", retryable: true });
  });

  test("may be old if the caller says so, or reads at a revision", async () => {
    const { client, time } = scripted([at(10), at(9)]);
    await time.complete(client.get("k"));
    expect((await time.complete(client.range("k", { serializable: true, monotonic: false }))).revision).toBe(9);
    expect((await time.complete(client.range("k", { serializable: true, revision: 5 }))).revision).toBe(9);
  });

  test("of a store restored from a backup begins anew", async () => {
    const restored = RangeResponse.encode(
      RangeResponse.fromPartial({ header: { ...header, clusterId: 2n, revision: 3 } }),
    ).finish();
    const { client, time } = scripted([at(10), restored]);
    await time.complete(client.get("k"));
    expect((await time.complete(client.range("k", { serializable: true }))).revision).toBe(3);
    expect((await time.complete(client.range("k", { serializable: true }))).revision).toBe(3);
  });
});

test("every error of the protocol has a code of its own or of its kind", async () => {
  for (const name of Object.keys(wireErrors) as WireErrorName[]) {
    const { client, time } = scripted([wireFailure(name)]);
    const failure = await failureOf(time.complete(client.get("k")));
    expect(failure.message).toBe(wireErrors[name].text);
    expect(failure.code).toMatch(/^[A-Z_]+$/);
  }
});
