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
import { forEachOf, methods, openKvClient } from "../kv-client.ts";
import type { Load, Target } from "../load.ts";
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

interface Shape {
  readonly name: string;
  readonly concurrency: Concurrency;
  readonly members?: number;
  /** How many times etcd's rate is wanted. */
  readonly atLeast: number;
}

function targetOf(atLeast: number): Target {
  return { of: "ratio", value: atLeast };
}

function puts({ atLeast, ...shape }: Shape): Load {
  return unaryLoad({ ...shape, target: targetOf(atLeast), method: methods.put, request: put });
}

function gets({ atLeast, serializable, ...shape }: Shape & { readonly serializable: boolean }): Load {
  const request = RangeRequest.fromPartial({ key, serializable });
  return unaryLoad({ ...shape, target: targetOf(atLeast), method: methods.range, request, prepare: putOnce });
}

const listed = { prefix: "bench/list/", count: 1_000 } as const;

async function putList({ url }: Subject): Promise<void> {
  using client = openKvClient(url);
  const value = Buffer.alloc(256, "v");
  const task = (at: number): Promise<unknown> => {
    const listedKey = Buffer.from(`${listed.prefix}${String(at).padStart(8, "0")}`);
    return client.call(methods.put, PutRequest.fromPartial({ key: listedKey, value }));
  };
  await forEachOf(listed.count, { atOnce: 100, task });
}

/** Reads a thousand keys at once. */
const rangeOfMany: Load = unaryLoad({
  name: "range-1000-keys-10",
  concurrency: ten,
  target: targetOf(1.2),
  method: methods.range,
  request: RangeRequest.fromPartial({ key: Buffer.from(listed.prefix), rangeEnd: Buffer.from("bench/list0") }),
  prepare: putList,
});

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
  puts({ name: "put-1", concurrency: one, atLeast: 1.1 }),
  puts({ name: "put-10", concurrency: ten, atLeast: 1.3 }),
  puts({ name: "put-100", concurrency: hundred, atLeast: 2 }),
  puts({ name: "put-10x100", concurrency: thousand, atLeast: 2.5 }),
  puts({ name: "put-3-members-1", members: 3, concurrency: one, atLeast: 1.1 }),
  puts({ name: "put-3-members-100", members: 3, concurrency: hundred, atLeast: 1.5 }),
  puts({ name: "put-3-members-10x100", members: 3, concurrency: thousand, atLeast: 2 }),
  gets({ name: "range-linearizable-100", serializable: false, concurrency: hundred, atLeast: 3 }),
  gets({ name: "range-linearizable-10x100", serializable: false, concurrency: thousand, atLeast: 4 }),
  gets({ name: "range-serializable-100", serializable: true, concurrency: hundred, atLeast: 3 }),
  gets({ name: "range-serializable-10x100", serializable: true, concurrency: thousand, atLeast: 4 }),
  rangeOfMany,
  unaryLoad({
    name: "lock-txn-100",
    concurrency: hundred,
    target: targetOf(2.5),
    method: methods.txn,
    request: lockTxn(),
  }),
];
