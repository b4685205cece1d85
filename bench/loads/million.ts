/** @module A server with a million keys: how long it takes to start, and what it holds in memory. */
import { PutRequest, type RequestOp, TxnRequest } from "@conclave/protocol/etcdserverpb";
import { measureCalls } from "../h2load.ts";
import { forEachOf, methods, openKvClient } from "../kv-client.ts";
import type { Load, Measurement } from "../load.ts";
import { residentBytes, type Subject } from "../subject.ts";

const keys = 1_000_000;
const keysPerTxn = 125;
const value = Buffer.alloc(256, "v");

/** Keys of 32 bytes. */
function putOp(at: number): RequestOp {
  const put = PutRequest.fromPartial({ key: Buffer.from(`bench/million/${String(at).padStart(18, "0")}`), value });
  return { request: { $case: "requestPut", value: put } };
}

/** Writes the first so many keys. */
async function writeKeys({ url }: Subject, count: number): Promise<void> {
  using client = openKvClient(url);
  await forEachOf(count / keysPerTxn, {
    atOnce: 16,
    task: (txn) => {
      const success = Array.from({ length: keysPerTxn }, (_, at) => putOp(txn * keysPerTxn + at));
      return client.call(methods.txn, TxnRequest.fromPartial({ success }));
    },
  });
}

const fill = (subject: Subject): Promise<void> => writeKeys(subject, keys);

/** From the start of a process that was killed to its first healthy answer. */
async function restart({ process }: Subject): Promise<Measurement> {
  await process.kill("SIGKILL");
  const startMs = performance.now();
  await process.restart();
  return { value: performance.now() - startMs };
}

function memory({ process }: Subject): Measurement {
  return { value: residentBytes(process.pid) / 1e6 };
}

/** Puts of one key a second, while there are others. */
async function putRate({ url }: Subject): Promise<number> {
  const request = PutRequest.fromPartial({ key: Buffer.from("bench/million/one"), value });
  const load = { ...methods.put, request, connections: 100, streams: 1 };
  return (await measureCalls(`${url}${methods.put.path}`, load)).value;
}

const rateOfFew = new Map<Subject, number>();

/** The loads. */
export const millionLoads: readonly Load[] = [
  {
    name: "start-1m",
    unit: "ms",
    better: "lower",
    target: { of: "ratio", value: 0.6 },
    prepare: fill,
    measure: restart,
  },
  {
    name: "memory-1m",
    unit: "MB",
    better: "lower",
    target: { of: "ratio", value: 1 },
    prepare: fill,
    measure: async (subject) => memory(subject),
  },
  {
    name: "memory-1m-restarted",
    unit: "MB",
    better: "lower",
    target: { of: "ratio", value: 1 },
    prepare: fill,
    measure: async (subject) => {
      await restart(subject);
      return memory(subject);
    },
  },
  {
    name: "put-1m-ratio",
    unit: "1m / 1k keys",
    better: "higher",
    target: { of: "figure", value: 0.8 },
    prepare: async (subject) => {
      await writeKeys(subject, 1_000);
      rateOfFew.set(subject, await putRate(subject));
      await fill(subject);
    },
    measure: async (subject) => ({ value: (await putRate(subject)) / (rateOfFew.get(subject) ?? Number.NaN) }),
  },
];
