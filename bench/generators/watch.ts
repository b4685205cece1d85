/** @module One writer and a thousand watchers of its key: ten streams of a hundred. Prints events delivered a second. */
import { PutRequest, WatchRequest, WatchResponse } from "@conclave/protocol/etcdserverpb";
import { callOnce, encode, openSession, openStream } from "./grpc-stream.ts";

const [url = ""] = process.argv.slice(2);
const streams = 10;
const watchersPerStream = 100;
const measureMs = 5000;
/** Puts whose events are not all delivered yet; more would only measure how much the server queues. */
const putsUnderWay = 4;

const key = Buffer.from("bench/watched");
const put = encode(PutRequest, PutRequest.fromPartial({ key, value: Buffer.alloc(256, "v") }));
const create = encode(
  WatchRequest,
  WatchRequest.fromPartial({ requestUnion: { $case: "createRequest", value: { key } } }),
);

/** Events in a response, without decoding it: each field of number 11 is one. */
function countEvents(bytes: Buffer): number {
  let count = 0;
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at++] ?? 0;
    let length = 0;
    for (let shift = 0, byte = 0x80; byte >= 0x80; shift += 7) {
      byte = bytes[at++] ?? 0;
      length += (byte & 0x7f) * 2 ** shift;
    }
    if (tag === ((11 << 3) | 2)) count++;
    if ((tag & 7) === 2) at += length;
  }
  return count;
}

let created = 0;
let delivered = 0;
let onProgress: () => void = () => undefined;

function onMessage(bytes: Buffer): void {
  if (created < streams * watchersPerStream && WatchResponse.decode(bytes).created) created++;
  else delivered += countEvents(bytes);
  onProgress();
}

async function until(condition: () => boolean): Promise<void> {
  if (condition()) return;
  await new Promise<void>((resolve) => {
    onProgress = () => {
      if (condition()) resolve();
    };
  });
}

const session = await openSession(url);
for (let stream = 0; stream < streams; stream++) {
  const watch = openStream(session, { path: "/etcdserverpb.Watch/Watch", onMessage });
  for (let watcher = 0; watcher < watchersPerStream; watcher++) watch.send(create);
}
await until(() => created === streams * watchersPerStream);

const writer = await openSession(url);
const watchers = streams * watchersPerStream;
const startMs = performance.now();
let puts = 0;
while (performance.now() - startMs < measureMs) {
  await callOnce(writer, "/etcdserverpb.KV/Put", put);
  puts++;
  await until(() => delivered >= (puts - putsUnderWay) * watchers);
}
await until(() => delivered >= puts * watchers);
const elapsedSec = (performance.now() - startMs) / 1000;
process.stdout.write(JSON.stringify({ value: delivered / elapsedSec, operations: delivered }));
session.destroy();
writer.destroy();
