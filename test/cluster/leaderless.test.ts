/** @module Calls that ask for a leader, at a member whose only companion has stopped: they end as with etcd. */
import { LeaseKeepAliveRequest, RangeRequest, WatchRequest } from "@conclave/protocol/etcdserverpb";
import { etcdAbsence, type MemberProgram, startCluster } from "@conclave/testkit";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { expect, test } from "vitest";

const bytes = (message: Uint8Array): Buffer => Buffer.from(message);
const noLeader = { code: 14, details: "etcdserver: no leader" };
const watchPath = "/etcdserverpb.Watch/Watch";
const createRequest = { key: bytes(new Uint8Array([1])), rangeEnd: new Uint8Array(), startRevision: 0n };
const watchRequest = WatchRequest.encode({
  requestUnion: {
    $case: "createRequest",
    value: { ...createRequest, progressNotify: false, filters: [], prevKv: false, watchId: 0n, fragment: false },
  },
}).finish();

/** A connection to one member. With `metadata`, its calls ask for a leader. */
function connect(endpoint: string) {
  const client = new Client(endpoint, credentials.createInsecure());
  const asking = new Metadata();
  asking.set("hasleader", "true");
  return {
    /** Opens a stream; tells how it ends. */
    stream(path: string, request: Uint8Array, options: { readonly asks: boolean }) {
      const metadata = options.asks ? asking : new Metadata();
      const call = client.makeBidiStreamRequest(path, bytes, bytes, metadata);
      const answered = new Promise<void>((resolve) => call.once("data", () => resolve()));
      const ended = new Promise<Pick<ServiceError, "code" | "details">>((resolve) => {
        call.on("error", (error: ServiceError) => resolve({ code: error.code, details: error.details }));
      });
      call.resume();
      call.write(request);
      return { answered, ended };
    },
    /** Reads the member's own state; tells the refusal. */
    read(): Promise<Pick<ServiceError, "code" | "details"> | undefined> {
      const request = RangeRequest.fromPartial({ key: new Uint8Array([1]), serializable: true });
      const path = "/etcdserverpb.KV/Range";
      return new Promise((resolve) => {
        client.makeUnaryRequest(path, bytes, bytes, bytes(RangeRequest.encode(request).finish()), asking, (error) =>
          resolve(error === null ? undefined : { code: error.code, details: error.details }),
        );
      });
    },
    [Symbol.dispose]: () => client.close(),
  };
}

async function loseTheLeader(program: MemberProgram): Promise<void> {
  await using cluster = await startCluster({ ...program, size: 2 });
  const leader = await cluster.waitForLeader();
  using connection = connect(leader.endpoint);
  const plain = connection.stream(watchPath, watchRequest, { asks: false });
  const watch = connection.stream(watchPath, watchRequest, { asks: true });
  const keepAlive = LeaseKeepAliveRequest.encode({ ID: 1n }).finish();
  const lease = connection.stream("/etcdserverpb.Lease/LeaseKeepAlive", keepAlive, { asks: true });
  await Promise.all([plain.answered, watch.answered, lease.answered]);

  for (const member of cluster.members) if (member !== leader) member.pause();
  let refusal: Awaited<ReturnType<typeof connection.read>>;
  do refusal = await connection.read();
  while (refusal === undefined);
  expect(refusal).toEqual(noLeader);
  expect(await watch.ended).toEqual(noLeader);
  expect(await lease.ended).toEqual(noLeader);
  // What did not ask goes on.
  const still = await Promise.race([plain.ended, connection.read().then(() => "open")]);
  expect(still).toBe("open");
}

test("a member of Conclave", () => loseTheLeader({ kind: "conclave", flags: [] }));

for (const version of ["3.4", "3.5"] as const) {
  const absent = etcdAbsence(version);
  test.skipIf(absent)(`a member of etcd ${version} ${absent ?? ""}`, () =>
    loseTheLeader({ kind: "etcd", version, flags: [] }),
  );
}
