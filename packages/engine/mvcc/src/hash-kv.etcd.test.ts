import {
  CompactionRequest,
  DeleteRangeRequest,
  HashKVRequest,
  HashKVResponse,
  PutRequest,
  TxnRequest,
} from "@conclave/protocol/etcdserverpb";
import { type EtcdVersion, etcdAbsence, startEtcd } from "@conclave/testkit";
import { Client, credentials } from "@grpc/grpc-js";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMemoryBackend } from "./memory-backend.ts";
import { createMvccStore, type MvccStore } from "./store.ts";
import { drain } from "./testing/drain.ts";
import { LeaseLedger } from "./testing/lease-ledger.ts";
import { del, op, put, txn } from "./testing/requests.ts";

type Change =
  | { readonly kind: "put"; readonly key: string; readonly value: string }
  | { readonly kind: "delete"; readonly key: string; readonly end: string }
  | { readonly kind: "txn"; readonly puts: readonly string[]; readonly deleted: string };

/** Changes of few keys. A transaction deletes keys that it does not put. */
const changes: fc.Arbitrary<Change[]> = fc.array(
  fc.oneof(
    { arbitrary: fc.record({ kind: fc.constant("put" as const), key: key(), value: fc.string() }), weight: 4 },
    { arbitrary: fc.record({ kind: fc.constant("delete" as const), key: key(), end: end() }), weight: 2 },
    {
      arbitrary: fc.record({
        kind: fc.constant("txn" as const),
        puts: fc.uniqueArray(key(), { maxLength: 3 }),
        deleted: fc.constantFrom("x", "y"),
      }),
      weight: 1,
    },
  ),
  { minLength: 12, maxLength: 25 },
);

function key(): fc.Arbitrary<string> {
  return fc.constantFrom("a", "b", "c", "d");
}

function end(): fc.Arbitrary<string> {
  return fc.constantFrom("", "", "c", "\0");
}

type Call = (method: string, bytes: Uint8Array) => Promise<Uint8Array>;

/** A checksum and the compaction it takes into account; undefined if the revision is refused. */
type Hash = { readonly hash: number; readonly compactRevision: number } | undefined;

function hashOf(store: MvccStore, revision: number): Hash {
  try {
    const { hash, compactRevision } = drain(store.hashKv(revision));
    return { hash, compactRevision };
  } catch {
    return undefined;
  }
}

/** 3.4 refuses the compact revision too, and keeps no checksums of compactions. */
async function etcdHash(call: Call, revision: number): Promise<Hash> {
  const request = HashKVRequest.encode({ revision: BigInt(revision) }).finish();
  const response = await call("Maintenance/HashKV", request).catch(() => undefined);
  if (response === undefined) return undefined;
  const { hash, compactRevision } = HashKVResponse.decode(response);
  return { hash, compactRevision };
}

async function applyToBoth(store: MvccStore, call: Call, change: Change): Promise<void> {
  switch (change.kind) {
    case "put": {
      const request = put(change.key, change.value);
      store.put(request);
      await call("KV/Put", PutRequest.encode(request).finish());
      return;
    }
    case "delete": {
      const request = del(change.key, change.end);
      store.deleteRange(request);
      await call("KV/DeleteRange", DeleteRangeRequest.encode(request).finish());
      return;
    }
    case "txn": {
      const request = txn({ success: [...change.puts.map((name) => op.put(name, "t")), op.del(change.deleted)] });
      store.txn(request);
      await call("KV/Txn", TxnRequest.encode(request).finish());
      return;
    }
  }
}

async function compactBoth(store: MvccStore, call: Call, revision: number): Promise<void> {
  store.compact(revision);
  while (store.compactStep());
  await call("KV/Compact", CompactionRequest.encode({ revision: BigInt(revision), physical: true }).finish());
}

async function withEtcd(version: EtcdVersion, run: (call: Call) => Promise<void>): Promise<void> {
  await using etcd = await startEtcd({ version });
  const client = new Client(etcd.endpoint, credentials.createInsecure());
  const call: Call = (method, bytes) =>
    new Promise((resolve, reject) => {
      const path = `/etcdserverpb.${method}`;
      const same = (buffer: Buffer) => buffer;
      client.makeUnaryRequest(path, same, same, Buffer.from(bytes), (error, response) =>
        error === null && response !== undefined ? resolve(response) : reject(error),
      );
    });
  try {
    await run(call);
  } finally {
    client.close();
  }
}

/** A store and an etcd with the same random history, both compacted twice on the way. */
async function compare(version: EtcdVersion, seed: number): Promise<void> {
  const [history = []] = fc.sample(changes, { seed, numRuns: 1 });
  await withEtcd(version, async (call) => {
    const store = createMvccStore({ backend: createMemoryBackend(), leases: new LeaseLedger() });
    const compareAll = async () => {
      for (let revision = 0; revision <= store.currentRevision + 1; revision++) {
        const theirs = await etcdHash(call, revision);
        const ours = hashOf(store, revision);
        if (version === "3.5" || theirs !== undefined) expect({ revision, ...ours }).toEqual({ revision, ...theirs });
      }
    };
    for (const [at, change] of history.entries()) {
      await applyToBoth(store, call, change);
      if (at % 8 === 7) {
        await compareAll();
        await compactBoth(store, call, store.currentRevision - (seed % 3));
      }
    }
    await compareAll();
  });
}

describe.each(["3.4", "3.5"] as const)("HashKV against etcd %s", (version) => {
  const absence = etcdAbsence(version);
  it.skipIf(absence)(
    `is equal at every revision of random histories, before and after compactions${absence === undefined ? "" : ` (${absence})`}`,
    async () => {
      for (const seed of [1, 2, 3]) await compare(version, seed);
    },
    60_000,
  );
});
