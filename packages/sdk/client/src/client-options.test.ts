import { services } from "@conclave/protocol";
import { SnapshotResponse } from "@conclave/protocol/etcdserverpb";
import { describe, expect, test } from "vitest";
import { idempotentMethods, patientMethods, reads } from "./calls/raw.ts";
import { createClient } from "./client.ts";
import { ConclaveError, isConclaveError } from "./conclave-error.ts";
import { compare } from "./kv/compare.ts";
import { op } from "./kv/op.ts";
import { connectionLost } from "./testing/fake-network.ts";
import { modelCluster } from "./testing/model-client.ts";
import { createGrpcTransport } from "./transport/grpc-transport.ts";

/** What the type checker would not let pass, as a user of plain JavaScript may write it. */
const wrong = (value: unknown) => value as never;

describe("arguments that are wrong", () => {
  const { client } = modelCluster();
  const cases: readonly [string, () => unknown, string][] = [
    ["an unknown option", () => createClient(wrong({ endpoint: "a:1" })), 'Unrecognized key: "endpoint"'],
    ["no endpoint", () => createClient({ endpoints: [] }), "endpoints: Too small"],
    ["an endpoint that is none", () => createClient({ endpoints: "nowhere" }), 'received "nowhere"'],
    [
      "a negative timeout",
      () => createClient({ timeoutMs: -1 }),
      "timeoutMs: Too small: expected number to be >=0 (received -1)",
    ],
    [
      "a time beyond Node's timers",
      () => createGrpcTransport({ keepaliveTimeMs: 2 ** 31 }),
      "expected number to be <=2147483647",
    ],
    ["no time to connect", () => createGrpcTransport({ connectTimeoutMs: 0 }), "connectTimeoutMs: Too small"],
    ["a key that is a number", () => client.get(wrong(5)), "expected a string or Uint8Array (received 5)"],
    [
      "a value that is an object",
      () => client.put("a", wrong({ b: 1 })),
      'expected a string or Uint8Array (received {"b":1})',
    ],
    [
      "a lease that is a number",
      () => client.put("a", "", wrong({ lease: 5 })),
      "lease: Invalid input: expected bigint, received number",
    ],
    [
      "a negative limit",
      () => client.range("a", { limit: -1 }),
      "limit: Too small: expected number to be >=0 (received -1)",
    ],
    ["a revision with a fraction", () => client.get("a", { revision: 1.5 }), "revision: Invalid input: expected int"],
    [
      "an unknown order",
      () => client.range("a", wrong({ order: "up" })),
      'order: Invalid option: expected one of "ascending"|"descending" (received "up")',
    ],
    [
      "a signal that is none",
      () => client.get("a", wrong({ signal: {} })),
      "signal: Invalid input: expected AbortSignal",
    ],
    ["a page without pairs", () => client.pages("a", { pageSize: 0 }), "pageSize: Too small"],
    ["a watch from nowhere", () => client.watch("a", wrong({ from: "then" })), '(received "then")'],
    [
      "a cursor that is none",
      () => client.watch("a", { from: "conclave-cursor:2:x" }),
      "Cannot watch from what is no cursor",
    ],
    ["an empty buffer", () => client.watch("a", { bufferEvents: 0 }), "bufferEvents: Too small"],
    [
      "a compare with a text for a number",
      () => compare.version("a").equal(wrong("1")),
      'operand of a compare: Invalid input (received "1")',
    ],
    ["a lease beyond 64 bits", () => client.lease.revoke(2n ** 63n), "(received 9223372036854775808n)"],
    ["an option of another call", () => client.delete("a", wrong({ lease: 1n })), 'Unrecognized key: "lease"'],
    ["an option of a transaction", () => client.txn().commit(wrong({ retry: true })), 'Unrecognized key: "retry"'],
    ["an option of an operation", () => client.do(op.get("a"), wrong({ limit: 1 })), 'Unrecognized key: "limit"'],
    [
      "an option of a raw call",
      () => client.raw.kv.put({}, wrong({ idempotant: true })),
      'Unrecognized key: "idempotant"',
    ],
  ];
  test("which may stand beside secrets are refused without showing those", () => {
    const key = "-----BEGIN PRIVATE KEY-----";
    const all = [{ tls: { key }, colour: 1 }, { tls: { key, colour: 1 } }, { tls: { key: [key] } }];
    for (const options of all) {
      expect(() => createClient(wrong(options))).toThrow(/Invalid options of a client: /);
      expect(() => createClient(wrong(options))).not.toThrow("PRIVATE");
    }
  });

  test.each(cases)("%s is refused with what was received", async (_name, call, message) => {
    const failure = await (async () => call())().then(
      () => "no error",
      (error: unknown) => error,
    );
    if (!isConclaveError(failure, "INVALID_ARGUMENT")) throw failure;
    expect(failure.message).toContain(message);
    expect(failure.retryable).toBe(false);
  });
});

describe("client.raw", () => {
  test("has every method of every service but Watch", () => {
    const { raw } = modelCluster().client;
    const byName = Object.entries(raw).flatMap(([service, methods]) =>
      Object.keys(methods).map((method) => `${service}.${method}`),
    );
    const wanted = services
      .filter(({ name }) => name !== "Watch")
      .flatMap(({ name, methods }) => Object.keys(methods).map((method) => `${name.toLowerCase()}.${method}`));
    expect(byName.sort()).toEqual(wanted.sort());
  });

  test("names only methods that there are", () => {
    const all = new Set(
      services.flatMap(({ fullName, methods }) => Object.values(methods).map(({ name }) => `${fullName}/${name}`)),
    );
    for (const name of [...reads, ...idempotentMethods, ...patientMethods]) expect(all).toContain(name);
  });
});

describe("a stream of answers", () => {
  const blobs = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) =>
      SnapshotResponse.encode(SnapshotResponse.fromPartial({ blob: Uint8Array.of(from + n) })).finish(),
    );

  function snapshot() {
    const cluster = modelCluster();
    const [member] = cluster.members;
    if (member === undefined) throw new Error("there is a member");
    cluster.network.members.set("m1:1", { unary: (call) => member.unary(call), stream: () => {} });
    return cluster;
  }

  test("is read at the consumer's pace: what waits is bounded", async () => {
    const { client, network, time } = snapshot();
    const answers = client.maintenance.snapshot()[Symbol.asyncIterator]();
    const first = answers.next();
    const [stream] = network.streams;
    for (const blob of blobs(0, 100)) stream?.send(blob);
    stream?.end();
    expect(stream?.heldBack).toBeGreaterThan(80);
    expect((await time.complete(first)).value?.blob).toEqual(Uint8Array.of(0));
    const rest: number[] = [];
    for (let next = await answers.next(); !next.done; next = await answers.next()) rest.push(next.value.blob[0] ?? -1);
    expect(rest).toEqual(Array.from({ length: 99 }, (_, n) => n + 1));
  });

  test("ends with the error of the connection, and is not asked for again", async () => {
    const { client, network } = snapshot();
    const next = client.maintenance.snapshot()[Symbol.asyncIterator]().next();
    network.streams[0]?.end(connectionLost());
    await expect(next).rejects.toMatchObject({ code: "UNAVAILABLE", maybeApplied: false });
    expect(network.streams).toHaveLength(1);
  });

  test("ends with the caller's signal, though nobody reads", async () => {
    const { client, network } = snapshot();
    const controller = new AbortController();
    const answers = client.maintenance.snapshot({ signal: controller.signal })[Symbol.asyncIterator]();
    const first = answers.next();
    network.streams[0]?.send(blobs(0, 1)[0] ?? new Uint8Array(0));
    await first;
    controller.abort("enough");
    expect(network.streams[0]?.open).toBe(false);
    await expect(answers.next()).rejects.toMatchObject({ code: "ABORTED", cause: "enough" });
  });

  test("left by its reader is canceled", async () => {
    const { client, network } = snapshot();
    const answers = client.maintenance.snapshot()[Symbol.asyncIterator]();
    const first = answers.next();
    network.streams[0]?.send(blobs(0, 1)[0] ?? new Uint8Array(0));
    await first;
    await answers.return?.();
    expect(network.streams[0]?.open).toBe(false);
  });
});

describe("ConclaveError", () => {
  test("is known by its brand, also when it comes from another copy of the package", () => {
    const error = new ConclaveError("COMPACTED", "gone");
    const foreign = Object.assign(new Error("gone"), {
      code: "COMPACTED",
      [Symbol.for("conclave.ConclaveError")]: true,
    });
    expect(error instanceof ConclaveError).toBe(true);
    expect(foreign instanceof ConclaveError).toBe(true);
    expect(isConclaveError(foreign, "COMPACTED")).toBe(true);
    expect(isConclaveError(error, "TIMEOUT")).toBe(false);
    expect(new Error("gone") instanceof ConclaveError).toBe(false);
    expect(isConclaveError(undefined)).toBe(false);
  });
});
