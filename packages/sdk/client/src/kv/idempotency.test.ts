import {
  LeaseGrantRequest,
  LeaseGrantResponse,
  type ResponseHeader,
  TxnRequest,
  TxnResponse,
} from "@conclave/protocol/etcdserverpb";
import { virtualTime } from "@conclave/testkit";
import { expect, test } from "vitest";
import { createClient } from "../client.ts";
import { stringCodec } from "../codec.ts";
import { connectionLost, FakeNetwork } from "../testing/fake-network.ts";
import { wireFailure } from "../testing/wire-failure.ts";
import type { UnaryCall } from "../transport/transport.ts";

const header: ResponseHeader = { clusterId: 1n, memberId: 1n, revision: 7, raftTerm: 1 };

/** A member that grants leases after 10 ms and takes every write whose marker hangs on one that it knows. */
function writer() {
  const time = virtualTime(1);
  const network = new FakeNetwork();
  const state = { granted: [] as bigint[], markedOn: [] as bigint[], gone: new Set<bigint>(), failsGrants: 0 };
  const grant = async ({ request }: UnaryCall) => {
    await new Promise<void>((resolve) => time.after(10, resolve));
    if (state.failsGrants-- > 0) throw connectionLost();
    const { ID } = LeaseGrantRequest.decode(request);
    state.granted.push(ID);
    return LeaseGrantResponse.encode({ header, ID, TTL: 1_200, error: "" }).finish();
  };
  const write = ({ request }: UnaryCall) => {
    const [marker] = TxnRequest.decode(request).success;
    if (marker?.request?.$case !== "requestPut") throw new Error("no marker");
    const { lease } = marker.request.value;
    if (state.gone.has(lease)) throw wireFailure("LeaseNotFound");
    state.markedOn.push(lease);
    const put = { response: { $case: "responsePut" as const, value: { header, prevKv: undefined } } };
    return TxnResponse.encode({ header, succeeded: true, responses: [put, put] }).finish();
  };
  const unary = (call: UnaryCall) => (call.path.endsWith("/LeaseGrant") ? grant(call) : write(call));
  network.members.set("m1:1", { unary, stream: () => {} });
  const ports = { transport: network, clock: time, scheduler: time, random: time.random };
  const client = createClient({ endpoints: "m1:1", ...ports });
  const keys = client.keyspace("k/", { value: stringCodec });
  const put = (id: number, signal?: AbortSignal) => keys.put(`${id}`, "1", { idempotencyId: `${id}`, signal });
  const many = (from: number, count: number) => Promise.all(Array.from({ length: count }, (_, at) => put(from + at)));
  return { time, network, state, put, many };
}

test("markers share a lease, which is asked for once however many come first", async () => {
  const { time, state, many, network } = writer();
  await time.complete(many(0, 20));
  const [lease = 0n] = state.granted;
  expect(state.granted).toEqual([lease]);
  expect(state.markedOn).toEqual(Array.from({ length: 20 }, () => lease));
  const request = network.calls.find(({ path }) => path.endsWith("/LeaseGrant"))?.request ?? expect.fail("no grant");
  expect(LeaseGrantRequest.decode(request)).toMatchObject({ TTL: 1_200n });
});

test("a lease takes no more than a thousand markers, of writes at once too, and none after half its time", async () => {
  const { time, state, many, put } = writer();
  await time.complete(many(0, 2_001));
  expect(state.granted.map((id) => state.markedOn.filter((lease) => lease === id).length)).toEqual([1_000, 1_000, 1]);
  await time.advance(600_000);
  await time.complete(put(3_000));
  expect(state.granted).toHaveLength(4);
});

test("writes that find their lease gone ask for one new one together", async () => {
  const { time, state, many } = writer();
  await time.complete(many(0, 1));
  for (const lease of state.granted) state.gone.add(lease);
  await time.complete(many(1, 20));
  const [, next = 0n] = state.granted;
  expect(state.granted).toHaveLength(2);
  expect(state.markedOn.slice(1)).toEqual(Array.from({ length: 20 }, () => next));
});

test("who gives up waiting for the lease is told so, and keeps it from nobody else", async () => {
  const { time, state, put } = writer();
  const impatient = new AbortController();
  const aborted = put(1, impatient.signal);
  const patient = put(2);
  await time.advance(5);
  impatient.abort();
  await expect(aborted).rejects.toMatchObject({ code: "ABORTED", maybeApplied: false });
  await time.complete(patient);
  expect(state.granted).toHaveLength(1);
  expect(state.markedOn).toEqual(state.granted);
});

test("without a lease nothing is written, which is no unknown outcome; the next write asks for one again", async () => {
  const { time, state, put } = writer();
  state.failsGrants = Number.POSITIVE_INFINITY;
  const failed = await time.complete(Promise.allSettled([put(1), put(2)]));
  const reasons = failed.map((result) => (result.status === "rejected" ? result.reason : undefined));
  expect(reasons).toEqual([1, 2].map(() => expect.objectContaining({ retryable: true, maybeApplied: false })));
  state.failsGrants = 1;
  await expect(time.complete(put(1))).resolves.toMatchObject({ kind: "committed" });
  expect(state.markedOn).toHaveLength(1);
});
