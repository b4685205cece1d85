import { invariant } from "@conclave/base";
import {
  WatchCreateRequest_FilterType as FilterType,
  type LeaseGrantRequest,
  type LeaseGrantResponse,
  type RangeRequest,
  type RangeResponse,
  type ResponseHeader,
  type TxnRequest,
  type TxnResponse,
} from "@conclave/protocol/etcdserverpb";
import type { KeyValue } from "@conclave/protocol/mvccpb";
import type { ServerCall, UnaryHandler } from "@conclave/rpc";
import {
  deleteOp,
  ifCreatedAt,
  putOp,
  queueKey,
  rangeOp,
  readKey,
  readOwner,
  readPredecessor,
  watchFrom,
} from "./queue-requests.ts";
import { type WatchOpener, watchResponses } from "./watch-responses.ts";

/** The parts of a member that locks and elections are made of; requests are made in the name of the client's call. */
export interface TurnQueueParts {
  readonly kv: {
    readonly range: UnaryHandler<RangeRequest, RangeResponse>;
    readonly txn: UnaryHandler<TxnRequest, TxnResponse>;
  };
  readonly lease: { readonly leaseGrant: UnaryHandler<LeaseGrantRequest, LeaseGrantResponse> };
  readonly watches: { for(call: ServerCall): Promise<WatchOpener> };
}

/** Whoever wants to own a name. */
export interface Applicant {
  readonly name: Uint8Array;
  /** The lease his key hangs on. */
  readonly lease: bigint;
  /** The value of his key. */
  readonly value: Uint8Array;
}

/** The key of an applicant in a queue. */
export interface Place {
  readonly name: Uint8Array;
  readonly key: Uint8Array;
  readonly lease: bigint;
  /** Create revision of the key: the lower, the earlier is its turn. */
  readonly revision: number;
  /** Whether the key was made now; the same lease may have made it before. */
  readonly isNew: boolean;
  /** The value the key has. */
  readonly value: Uint8Array;
  /** Whether its turn is now. */
  readonly owns: boolean;
  /** Header of the transaction that made or found it. */
  readonly header: ResponseHeader;
}

/** TTL of the lease granted to whoever names none. Nobody renews it for him. */
const ownLeaseTtlSec = 60n;

/** The pair that the operation of a transaction at an index has read, if any. */
function pairRead({ responses }: TxnResponse, index: number): KeyValue | undefined {
  const response = responses[index]?.response;
  return response?.$case === "responseRange" ? response.value.kvs[0] : undefined;
}

/** The header of what a member answers itself, which always has one. */
export function headerOf({ header }: { readonly header: ResponseHeader | undefined }): ResponseHeader {
  invariant(header !== undefined, "the member's own responses have a header");
  return header;
}

/** The queues of all names. */
export class TurnQueue {
  readonly #parts: TurnQueueParts;

  constructor(parts: TurnQueueParts) {
    this.#parts = parts;
  }

  /** The lease, or for 0 a new one. */
  async leaseOrNew(lease: bigint, call: ServerCall): Promise<bigint> {
    if (lease !== 0n) return lease;
    return (await this.#parts.lease.leaseGrant({ ID: 0n, TTL: ownLeaseTtlSec }, call)).ID;
  }

  /** Takes a place at the end of a queue, or finds the one that the same lease has. */
  async join({ name, lease, value }: Applicant, call: ServerCall): Promise<Place> {
    const key = queueKey(name, lease);
    const owner = rangeOp(readOwner(name));
    const response = await this.#parts.kv.txn(
      ifCreatedAt(key, 0n, { success: [putOp(key, value, lease), owner], failure: [rangeOp(readKey(key)), owner] }),
      call,
    );
    const header = headerOf(response);
    const found = pairRead(response, 0); // Nothing if the key was put instead.
    const revision = found?.createRevision ?? header.revision;
    const owns = pairRead(response, 1)?.createRevision === revision;
    return { name, key, lease, revision, isNew: response.succeeded, value: found?.value ?? value, owns, header };
  }

  /**
   * Waits until a place is the first of its queue. A place made by the call is given up if the wait fails.
   *
   * @returns the header of what found it so; undefined if the key is gone, by hand or with its lease
   * @throws the reason of the call's signal, if nobody waits any more
   */
  async waitForTurn(place: Place, call: ServerCall): Promise<ResponseHeader | undefined> {
    try {
      call.signal.throwIfAborted();
      if (place.owns) return place.header;
      for (;;) {
        const response = await this.#readTurn(place, call);
        if (pairRead(response, 0)?.createRevision !== place.revision) return undefined;
        const predecessor = pairRead(response, 1);
        const header = headerOf(response);
        if (predecessor === undefined) return header;
        await this.#waitForDeletion([predecessor.key, place.key], header.revision + 1, call);
      }
    } catch (error) {
      // Its lease would take the key away too, but only in time; so a failure here needs no answer of its own.
      if (place.isNew) await this.leave(place, call).catch(() => {});
      throw error;
    }
  }

  /** Deletes the key of a place, if it is still that one. */
  async leave({ key, revision }: Pick<Place, "key" | "revision">, call: ServerCall): Promise<void> {
    await this.#parts.kv.txn(ifCreatedAt(key, BigInt(revision), { success: [deleteOp(key)] }), call);
  }

  /** Reads the key of a place and the one before it, both at one revision. */
  async #readTurn({ name, key, revision }: Place, call: ServerCall): Promise<TxnResponse> {
    const reads = [rangeOp(readKey(key)), rangeOp(readPredecessor(name, revision))];
    return this.#parts.kv.txn({ compare: [], success: reads, failure: [] }, call);
  }

  /** Ends when one of the keys was deleted, or that cannot be told from history any more. */
  async #waitForDeletion(keys: readonly Uint8Array[], revision: number, call: ServerCall): Promise<void> {
    const requests = keys.map((key) => ({ ...watchFrom(key, revision), filters: [FilterType.NOPUT] }));
    const deletions = watchResponses(await this.#parts.watches.for(call), requests, call.signal);
    await deletions.next();
    await deletions.return();
  }
}
