import { equalBytes, prefixEnd } from "@conclave/base";
import type { ResponseHeader } from "@conclave/protocol/etcdserverpb";
import { type Event, Event_EventType as EventType, type KeyValue } from "@conclave/protocol/mvccpb";
import type {
  CampaignRequest,
  CampaignResponse,
  LeaderKey,
  LeaderRequest,
  LeaderResponse,
  ProclaimRequest,
  ProclaimResponse,
  ResignRequest,
  ResignResponse,
} from "@conclave/protocol/v3electionpb";
import type { ResponseStream, ServerCall } from "@conclave/rpc";
import { plainError, withPlainErrors } from "./plain-errors.ts";
import { deleteOp, ifCreatedAt, putOp, queuePrefix, readOwner, watchFrom } from "./queue-requests.ts";
import { headerOf, TurnQueue, type TurnQueueParts } from "./turn-queue.ts";
import { watchResponses } from "./watch-responses.ts";

const notLeader = "election: not leader";
const noLeader = "election: no leader";

function leaderOrThrow(leader: LeaderKey | undefined): LeaderKey {
  if (leader === undefined) throw plainError('"leader" field must be provided');
  return leader;
}

function isPut({ type }: Event): boolean {
  return type === EventType.PUT;
}

/** The Election service: candidates queue for a name, and the first of the queue leads. */
export class ElectionService {
  readonly #parts: TurnQueueParts;
  readonly #queue: TurnQueue;

  constructor(parts: TurnQueueParts) {
    this.#parts = parts;
    this.#queue = new TurnQueue(parts);
  }

  /** Waits to lead. A candidate whose key is there already gives it the new value and goes on waiting. */
  campaign({ name, lease: wished, value }: CampaignRequest, call: ServerCall): Promise<CampaignResponse> {
    return withPlainErrors(async () => {
      const lease = await this.#queue.leaseOrNew(wished, call);
      const place = await this.#queue.join({ name, lease, value }, call);
      const leader = { name, key: place.key, rev: BigInt(place.revision), lease };
      if (!equalBytes(place.value, value)) await this.#put(leader, value, call);
      if ((await this.#queue.waitForTurn(place, call)) === undefined) throw plainError(notLeader);
      return { header: place.header, leader };
    });
  }

  /** Changes the value of a leader who still leads. */
  proclaim({ leader, value }: ProclaimRequest, call: ServerCall): Promise<ProclaimResponse> {
    return withPlainErrors(async () => {
      const known = leaderOrThrow(leader);
      const lease = await this.#queue.leaseOrNew(known.lease, call);
      return { header: await this.#put({ ...known, lease }, value, call) };
    });
  }

  leader({ name }: LeaderRequest, call: ServerCall): Promise<LeaderResponse> {
    return withPlainErrors(async () => {
      const { header, kvs } = await this.#parts.kv.range(readOwner(name), call);
      const [kv] = kvs;
      if (kv === undefined) throw plainError(noLeader);
      return { header, kv };
    });
  }

  /**
   * Tells of the leader there is and of every change of leader or value from then on. Between two leaders one may be
   * missed who led for a moment only, never the one who leads.
   */
  observe({ name }: LeaderRequest, responses: ResponseStream<LeaderResponse>, call: ServerCall): Promise<void> {
    return withPlainErrors(async () => {
      for (;;) {
        const response = await this.#parts.kv.range(readOwner(name), call);
        const header = headerOf(response);
        const [leader] = response.kvs;
        if (leader === undefined) await this.#waitForCandidate(name, header.revision + 1, call);
        else await this.#follow(leader, header, { responses, call });
      }
    });
  }

  /** Steps down; nothing happens if another leads by now. */
  resign({ leader }: ResignRequest, call: ServerCall): Promise<ResignResponse> {
    return withPlainErrors(async () => {
      const { key, rev } = leaderOrThrow(leader);
      const { header } = await this.#parts.kv.txn(ifCreatedAt(key, rev, { success: [deleteOp(key)] }), call);
      return { header };
    });
  }

  async #put({ key, rev, lease }: LeaderKey, value: Uint8Array, call: ServerCall): Promise<ResponseHeader> {
    const response = await this.#parts.kv.txn(ifCreatedAt(key, rev, { success: [putOp(key, value, lease)] }), call);
    if (!response.succeeded) throw plainError(notLeader);
    return headerOf(response);
  }

  async #waitForCandidate(name: Uint8Array, revision: number, call: ServerCall): Promise<void> {
    const prefix = queuePrefix(name);
    const request = watchFrom(prefix, revision, prefixEnd(prefix));
    const watches = await this.#parts.watches.for(call);
    for await (const { events } of watchResponses(watches, [request], call.signal)) {
      if (events.some(isPut)) return;
    }
  }

  /** Tells of a leader and his new values until his key is deleted, or its history is compacted. */
  async #follow(
    leader: KeyValue,
    header: ResponseHeader,
    { responses, call }: { readonly responses: ResponseStream<LeaderResponse>; readonly call: ServerCall },
  ): Promise<void> {
    if (!responses.write({ header, kv: leader })) await responses.drained();
    const request = watchFrom(leader.key, header.revision + 1);
    const watches = await this.#parts.watches.for(call);
    for await (const { events } of watchResponses(watches, [request], call.signal)) {
      for (const event of events) {
        if (!isPut(event)) return;
        const told = { header: { ...header, revision: event.kv.modRevision }, kv: event.kv };
        if (!responses.write(told)) await responses.drained();
      }
    }
  }
}
