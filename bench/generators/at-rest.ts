/**
 * @module A hundred thousand watchers, each of a key of its own, and a hundred thousand leases. Prints "ready" when all
 * are there, and keeps the watchers until the server ends.
 */
import { LeaseGrantRequest, WatchRequest, WatchResponse } from "@conclave/protocol/etcdserverpb";
import { forEachOf } from "../kv-client.ts";
import { callOnce, encode, openSession, openStream } from "./grpc-stream.ts";

const [url = ""] = process.argv.slice(2);
const watchers = 100_000;
const leases = 100_000;
const streams = 10;
const creationsUnderWay = 100;

const session = await openSession(url);

function createRequest(at: number): Uint8Array {
  const value = { key: Buffer.from(`bench/watched/${at}`) };
  return encode(WatchRequest, WatchRequest.fromPartial({ requestUnion: { $case: "createRequest", value } }));
}

/** Creates every so many-th watcher on a stream of its own. */
function createWatchers(first: number): Promise<void> {
  return new Promise((resolve) => {
    let [next, created] = [first, 0];
    const createNext = (): void => {
      if (next < watchers) stream.send(createRequest(next));
      next += streams;
    };
    const stream = openStream(session, {
      path: "/etcdserverpb.Watch/Watch",
      onMessage: (bytes) => {
        if (!WatchResponse.decode(bytes).created) return;
        if (++created === watchers / streams) resolve();
        else createNext();
      },
    });
    for (let sent = 0; sent < creationsUnderWay; sent++) createNext();
  });
}

await Promise.all(Array.from({ length: streams }, (_, at) => createWatchers(at)));
const grant = encode(LeaseGrantRequest, LeaseGrantRequest.fromPartial({ TTL: 36_000n }));
const granting = await openSession(url);
await forEachOf(leases, { atOnce: 200, task: () => callOnce(granting, "/etcdserverpb.Lease/LeaseGrant", grant) });
granting.destroy();
process.stdout.write("ready\n");
