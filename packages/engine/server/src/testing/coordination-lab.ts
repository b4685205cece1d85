import { utf8, utf8Text } from "@conclave/base";
import { createLessor, type Lessor } from "@conclave/lease";
import {
  checkDeleteRange,
  checkRange,
  checkTxn,
  createMemoryBackend,
  createMvccStore,
  createWatchHub,
  type MvccStore,
  type WatchHub,
} from "@conclave/mvcc";
import { GrpcStatus } from "@conclave/protocol";
import { PutRequest, RangeRequest } from "@conclave/protocol/etcdserverpb";
import type { ResponseStream, ServerCall } from "@conclave/rpc";
import { RpcError } from "@conclave/rpc";
import type { LockServiceParts } from "../services/lock-service.ts";
import { withWireErrors } from "../wire-error-mapping.ts";

/** A call as a service sees it, and the client's power to end it. */
export interface LabCall {
  readonly call: ServerCall;
  cancel(): void;
}

/** A call that nobody has ended. */
export function labCall(): LabCall {
  const controller = new AbortController();
  const call: ServerCall = {
    path: "",
    metadata: { get: () => undefined, getAll: () => [] } as unknown as ServerCall["metadata"],
    peer: { address: "test" } as unknown as ServerCall["peer"],
    deadlineMs: undefined,
    signal: controller.signal,
    setHeader: () => {},
    setTrailer: () => {},
  };
  return { call, cancel: () => controller.abort(new RpcError(GrpcStatus.Canceled, "the client has gone")) };
}

/** A response stream that keeps what is written. */
export function labResponses<Response>(): {
  readonly written: Response[];
  readonly responses: ResponseStream<Response>;
} {
  const written: Response[] = [];
  const responses: ResponseStream<Response> = {
    write: (response) => written.push(response) > 0,
    writeEncoded: () => true,
    drained: async () => {},
    bufferedBytes: 0,
  };
  return { written, responses };
}

/** Store, lessor and watch hub of a member, without log, disk and network: commands are applied at once. */
export interface CoordinationLab {
  readonly parts: LockServiceParts;
  readonly store: MvccStore;
  readonly lessor: Lessor;
  readonly hub: WatchHub;
  grant(id: bigint): void;
  revoke(id: bigint): void;
  put(key: string, value?: string): void;
  delete(key: string): void;
  /** Every key with its value, in order: `key=value`. */
  keys(): string[];
  /** Waits until everything that can happen by itself has happened. */
  settle(): Promise<void>;
}

/** A lab with an empty store. */
export function coordinationLab(): CoordinationLab {
  const backend = createMemoryBackend();
  const lessor = createLessor({ backend, minTtlSec: 2 });
  const store = createMvccStore({ backend, leases: lessor });
  let nextLease = 0x7001n;
  const grant = (id: bigint, ttlSec = 60n) => lessor.grant({ id, ttlSec, nowMs: 0 });
  const header = (revision: number) => ({ clusterId: 1n, memberId: 2n, revision, raftTerm: 3 });
  const answer = <R extends { header: ReturnType<typeof header> | undefined }>(apply: () => R): R => {
    const response = withWireErrors(apply);
    return { ...response, header: header(store.currentRevision) };
  };
  const syncLater = (): void => queueMicrotask(() => hub.syncStep() && syncLater());
  const hub: WatchHub = createWatchHub({ history: store, header, onWork: syncLater });
  store.onCommit((revision, events) => hub.commit(revision, events));
  return {
    parts: {
      kv: {
        range: async (request) => {
          checkRange(request);
          return answer(() => store.range(request));
        },
        txn: async (request) => {
          checkTxn(request, 128);
          return answer(() => store.txn(request));
        },
        deleteRange: async (request) => {
          checkDeleteRange(request);
          return answer(() => store.deleteRange(request));
        },
      },
      lease: {
        leaseGrant: async ({ TTL }) => {
          const ID = nextLease++;
          return { header: header(store.currentRevision), ID, TTL: grant(ID, TTL).ttlSec, error: "" };
        },
      },
      watches: { for: async () => hub },
    },
    store,
    lessor,
    hub,
    grant: (id) => void grant(id),
    revoke: (id) => {
      store.deleteKeys(lessor.keysOf(id));
      lessor.revoke(id);
    },
    put: (key, value = "") => void store.put(PutRequest.fromPartial({ key: utf8(key), value: utf8(value) })),
    delete: (key) => void store.deleteRange({ key: utf8(key), rangeEnd: utf8(""), prevKv: false }),
    keys: () => {
      const all = RangeRequest.fromPartial({ key: utf8("\0"), rangeEnd: utf8("\0") });
      return store.range(all).kvs.map(({ key, value }) => `${utf8Text(key)}=${utf8Text(value)}`);
    },
    settle: () => new Promise((resolve) => setImmediate(resolve)),
  };
}
