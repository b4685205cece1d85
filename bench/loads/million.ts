/** @module A server with a million keys: how long it takes to start, and what it holds in memory. */
import { PutRequest, type RequestOp, TxnRequest } from "@conclave/protocol/etcdserverpb";
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

async function fill({ url }: Subject): Promise<void> {
  using client = openKvClient(url);
  await forEachOf(keys / keysPerTxn, {
    atOnce: 16,
    task: (txn) => {
      const success = Array.from({ length: keysPerTxn }, (_, at) => putOp(txn * keysPerTxn + at));
      return client.call(methods.txn, TxnRequest.fromPartial({ success }));
    },
  });
}

async function restart({ process }: Subject): Promise<Measurement> {
  await process.kill("SIGTERM");
  const startMs = performance.now();
  await process.restart();
  return { value: performance.now() - startMs };
}

/** The loads. */
export const millionLoads: readonly Load[] = [
  { name: "start-1m", unit: "ms", better: "lower", prepare: fill, measure: restart },
  {
    name: "memory-1m",
    unit: "MB",
    better: "lower",
    prepare: fill,
    measure: async ({ process }) => ({ value: residentBytes(process.pid) / 1e6 }),
  },
];
