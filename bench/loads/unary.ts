/** @module Puts, ranges and the transaction of a lock. */
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  PutRequest,
  RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  RequestOp,
  TxnRequest,
} from "@conclave/protocol/etcdserverpb";
import { type Concurrency, unaryLoad } from "../h2load.ts";
import { methods, openKvClient } from "../kv-client.ts";
import type { Load } from "../load.ts";
import type { Subject } from "../subject.ts";

const key = Buffer.from("bench/key-of-the-load");
const put = PutRequest.fromPartial({ key, value: Buffer.alloc(256, "v") });

const one: Concurrency = { connections: 1, streams: 1 };
const ten: Concurrency = { connections: 10, streams: 1 };
const hundred: Concurrency = { connections: 100, streams: 1 };
const thousand: Concurrency = { connections: 10, streams: 100 };

async function putOnce({ url }: Subject): Promise<void> {
  using client = openKvClient(url);
  await client.call(methods.put, put);
}

function range(name: string, concurrency: Concurrency, serializable: boolean): Load {
  const request = RangeRequest.fromPartial({ key, serializable });
  return unaryLoad({ name, concurrency, method: methods.range, request, prepare: putOnce });
}

/** What etcd's Go package `concurrency` sends to take a lock: claim my key, and see who is first. */
function lockTxn(): TxnRequest {
  const prefix = Buffer.from("bench/lock/");
  const mine = Buffer.from("bench/lock/694d77aa9e38260f");
  const firstOwner = RequestOp.fromPartial({
    request: {
      $case: "requestRange",
      value: {
        key: prefix,
        rangeEnd: Buffer.from("bench/lock0"),
        sortTarget: RangeRequest_SortTarget.CREATE,
        sortOrder: RangeRequest_SortOrder.ASCEND,
        limit: 1n,
      },
    },
  });
  return TxnRequest.fromPartial({
    compare: [
      {
        key: mine,
        target: Compare_CompareTarget.CREATE,
        result: Compare_CompareResult.EQUAL,
        targetUnion: { $case: "createRevision", value: 0n },
      },
    ],
    success: [{ request: { $case: "requestPut", value: { key: mine } } }, firstOwner],
    failure: [{ request: { $case: "requestRange", value: { key: mine } } }, firstOwner],
  });
}

/** The loads. */
export const unaryLoads: readonly Load[] = [
  unaryLoad({ name: "put-1", concurrency: one, method: methods.put, request: put }),
  unaryLoad({ name: "put-10", concurrency: ten, method: methods.put, request: put }),
  unaryLoad({ name: "put-100", concurrency: hundred, method: methods.put, request: put }),
  unaryLoad({ name: "put-10x100", concurrency: thousand, method: methods.put, request: put }),
  unaryLoad({ name: "put-3-members-1", members: 3, concurrency: one, method: methods.put, request: put }),
  unaryLoad({ name: "put-3-members-100", members: 3, concurrency: hundred, method: methods.put, request: put }),
  unaryLoad({ name: "put-3-members-10x100", members: 3, concurrency: thousand, method: methods.put, request: put }),
  range("range-linearizable-100", hundred, false),
  range("range-linearizable-10x100", thousand, false),
  range("range-serializable-100", hundred, true),
  range("range-serializable-10x100", thousand, true),
  unaryLoad({ name: "lock-txn-100", concurrency: hundred, method: methods.txn, request: lockTxn() }),
];
