/**
 * @module Leases kept alive: ten thousand over ten streams of one connection, or one by each of a hundred clients with a
 * connection of its own. Prints keep-alives answered a second.
 */
import { LeaseGrantRequest, LeaseKeepAliveRequest } from "@conclave/protocol/etcdserverpb";
import { forEachOf, methods, openKvClient } from "../kv-client.ts";
import { encode, type GrpcStream, openSession, openStream } from "./grpc-stream.ts";

const [url = "", who = "streams"] = process.argv.slice(2);
const { leases, streams, underWayPerStream } =
  who === "clients"
    ? { leases: 100, streams: 100, underWayPerStream: 1 }
    : { leases: 10_000, streams: 10, underWayPerStream: 100 };
const measureMs = 5000;

const ids: bigint[] = [];
using client = openKvClient(url);
await forEachOf(leases, {
  atOnce: 100,
  task: async () => {
    const { ID } = await client.call(methods.leaseGrant, LeaseGrantRequest.fromPartial({ TTL: 600n }));
    ids.push(ID);
  },
});

const shared = await openSession(url);
const requests = ids.map((ID) => encode(LeaseKeepAliveRequest, LeaseKeepAliveRequest.fromPartial({ ID })));
let answered = 0;
for (let at = 0; at < streams; at++) {
  let next = at;
  const sendNext = (stream: GrpcStream): void => {
    stream.send(requests[next % leases] ?? new Uint8Array());
    next += streams;
  };
  const session = who === "clients" ? await openSession(url) : shared;
  const stream: GrpcStream = openStream(session, {
    path: "/etcdserverpb.Lease/LeaseKeepAlive",
    onMessage: () => {
      answered++;
      sendNext(stream);
    },
  });
  for (let sent = 0; sent < underWayPerStream; sent++) sendNext(stream);
}
const answeredBefore = answered;
const startMs = performance.now();
await new Promise((resolve) => setTimeout(resolve, measureMs));
const elapsedSec = (performance.now() - startMs) / 1000;
process.stdout.write(
  JSON.stringify({ value: (answered - answeredBefore) / elapsedSec, operations: answered + leases }),
);
process.exit();
