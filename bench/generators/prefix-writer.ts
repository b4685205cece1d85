/** @module Writes the keys of a prefix again and again until it is killed, in transactions that are encoded once. */
import { PutRequest, RequestOp, TxnRequest } from "@conclave/protocol/etcdserverpb";
import { callOnce, encode, openSession } from "./grpc-stream.ts";

const [url = "", prefix = ""] = process.argv.slice(2);
/** As many as fit into one frame. */
const putsPerTxn = 50;
const inFlight = 8;
const value = Buffer.alloc(256, "v");

const puts = Array.from({ length: putsPerTxn }, (_, at) =>
  RequestOp.fromPartial({
    request: { $case: "requestPut", value: PutRequest.fromPartial({ key: Buffer.from(`${prefix}${at}`), value }) },
  }),
);
const txn = encode(TxnRequest, TxnRequest.fromPartial({ success: puts }));
const session = await openSession(url);

async function write(): Promise<never> {
  for (;;) await callOnce(session, "/etcdserverpb.KV/Txn", txn);
}

for (let at = 0; at < inFlight; at++) void write();
