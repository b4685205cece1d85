import { emptyBytes } from "@conclave/base";
import type { DeleteRangeRequest, DeleteRangeResponse } from "@conclave/protocol/etcdserverpb";
import type { LockRequest, LockResponse, UnlockRequest, UnlockResponse } from "@conclave/protocol/v3lockpb";
import type { ServerCall, UnaryHandler } from "@conclave/rpc";
import { plainError, withPlainErrors } from "./plain-errors.ts";
import { TurnQueue, type TurnQueueParts } from "./turn-queue.ts";

/** The parts of a member that locks are made of. */
export interface LockServiceParts extends TurnQueueParts {
  readonly kv: TurnQueueParts["kv"] & { readonly deleteRange: UnaryHandler<DeleteRangeRequest, DeleteRangeResponse> };
}

/**
 * The Lock service: whoever asks for a lock waits for those who asked before. A lock is held until its key is deleted:
 * by an unlock, by hand, or because its lease ends.
 */
export class LockService {
  readonly #kv: LockServiceParts["kv"];
  readonly #queue: TurnQueue;

  constructor(parts: LockServiceParts) {
    this.#kv = parts.kv;
    this.#queue = new TurnQueue(parts);
  }

  lock({ name, lease: wished }: LockRequest, call: ServerCall): Promise<LockResponse> {
    return withPlainErrors(async () => {
      const lease = await this.#queue.leaseOrNew(wished, call);
      const place = await this.#queue.join({ name, lease, value: emptyBytes }, call);
      const header = await this.#queue.waitForTurn(place, call);
      if (header === undefined) throw plainError("mutex: session is expired");
      return { header, key: place.key };
    });
  }

  /** Deletes a key, whoever made it. */
  unlock({ key }: UnlockRequest, call: ServerCall): Promise<UnlockResponse> {
    return withPlainErrors(async () => {
      const { header } = await this.#kv.deleteRange({ key, rangeEnd: emptyBytes, prevKv: false }, call);
      return { header };
    });
  }
}
