/** @module Ten thousand leases kept alive over ten streams. Prints keep-alives answered a second. */
import { LeaseGrantRequest, LeaseKeepAliveRequest } from "@conclave/protocol/etcdserverpb";
import { forEachOf, methods, openKvClient } from "../kv-client.ts";
import { encode, type GrpcStream, openSession, openStream } from "./grpc-stream.ts";

const [url = ""] = process.argv.slice(2);
const leases = 10_000;
const streams = 10;
const underWayPerStream = 100;
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

const session = await openSession(url);
const requests = ids.map((ID) => encode(LeaseKeepAliveRequest, LeaseKeepAliveRequest.fromPartial({ ID })));
let answered = 0;
for (let at = 0; at < streams; at++) {
  let next = at;
  const sendNext = (stream: GrpcStream): void => {
    stream.send(requests[next % leases] ?? new Uint8Array());
    next += streams;
  };
  const stream: GrpcStream = openStream(session, {
    path: "/etcdserverpb.Lease/LeaseKeepAlive",
    onMessage: () => {
      answered++;
      sendNext(stream);
    },
  });
  for (let sent = 0; sent < underWayPerStream; sent++) sendNext(stream);
}
const startMs = performance.now();
await new Promise((resolve) => setTimeout(resolve, measureMs));
const elapsedSec = (performance.now() - startMs) / 1000;
process.stdout.write(JSON.stringify({ value: answered / elapsedSec, operations: answered + leases }));
session.destroy();
process.exit();
