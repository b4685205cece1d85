/** @module A member over a {@link ModelStore}: as awkward as the protocol allows, frame by frame on virtual time. */
import type { Scheduler } from "@conclave/base";
import { GrpcStatus } from "@conclave/protocol";
import {
  RangeRequest,
  RangeResponse,
  type ResponseHeader,
  StatusResponse,
  type WatchCreateRequest,
  WatchRequest,
  WatchResponse,
} from "@conclave/protocol/etcdserverpb";
import type { Event } from "@conclave/protocol/mvccpb";
import { TransportError, type UnaryCall } from "../transport/transport.ts";
import { connectionLost, type FakeMember, type FakeStream } from "./fake-network.ts";
import type { ModelLessor } from "./model-lessor.ts";
import { inRange, type ModelStore } from "./model-store.ts";
import { wireFailure } from "./wire-failure.ts";

/** How awkward the member is. */
export interface ModelMemberOptions {
  /** Most revisions in one response; default: 3. */
  readonly batchRevisions?: number;
  /** Most events in one fragment; default: all. */
  readonly fragmentEvents?: number;
  /** Called before every frame of a watch; `"cut"` breaks the stream instead. Default: never cuts. */
  readonly onFrame?: () => "send" | "cut";
  /** The version it reports; default: `"3.6.0"`. */
  readonly version?: string;
}

interface ModelWatch {
  readonly id: bigint;
  readonly request: WatchCreateRequest;
  next: number;
}

/** A member of a cluster of models: all members share the store. */
export class ModelMember implements FakeMember {
  readonly #store: ModelStore;
  readonly #lessor: ModelLessor;
  readonly #scheduler: Scheduler;
  readonly #options: ModelMemberOptions;
  /** The requests to create a watch, in order. */
  readonly creates: WatchCreateRequest[] = [];
  /** How many requests for progress came. */
  progressRequests = 0;
  /** Whether requests for progress are answered. */
  answersProgress = true;

  constructor(
    { store, lessor }: { readonly store: ModelStore; readonly lessor: ModelLessor },
    scheduler: Scheduler,
    options: ModelMemberOptions = {},
  ) {
    this.#store = store;
    this.#lessor = lessor;
    this.#scheduler = scheduler;
    this.#options = options;
  }

  unary(call: UnaryCall): Uint8Array {
    const answer = this.#lessor.unary(call);
    if (answer !== undefined) return answer;
    switch (call.path) {
      case "/etcdserverpb.KV/Range":
        return this.#range(RangeRequest.decode(call.request));
      case "/etcdserverpb.Maintenance/Status":
        return StatusResponse.encode(
          StatusResponse.fromPartial({ header: this.#header(), version: this.#options.version ?? "3.6.0" }),
        ).finish();
      default:
        throw new TransportError(GrpcStatus.Unimplemented, `unknown method ${call.path}`);
    }
  }

  stream(stream: FakeStream): void {
    if (stream.path === "/etcdserverpb.Lease/LeaseKeepAlive") this.#lessor.keepAlive(stream);
    else new ModelWatchStream(this, stream, this.#store, this.#scheduler, this.#options);
  }

  #header(): ResponseHeader {
    return { clusterId: 1n, memberId: 1n, revision: this.#store.revision, raftTerm: 1 };
  }

  #range(request: RangeRequest): Uint8Array {
    const revision = request.revision === 0n ? this.#store.revision : Number(request.revision);
    if (revision < this.#store.compactRevision) throw wireFailure("Compacted");
    const all = this.#store.list(request.key, request.rangeEnd, revision);
    const kvs = request.limit === 0n ? all : all.slice(0, Number(request.limit));
    const response = { header: this.#header(), kvs: [...kvs], more: kvs.length < all.length, count: all.length };
    return RangeResponse.encode(response).finish();
  }
}

class ModelWatchStream {
  readonly #member: ModelMember;
  readonly #stream: FakeStream;
  readonly #store: ModelStore;
  readonly #scheduler: Scheduler;
  readonly #options: ModelMemberOptions;
  readonly #watches = new Map<bigint, ModelWatch>();
  readonly #frames: WatchResponse[] = [];
  #pumping = false;

  constructor(
    member: ModelMember,
    stream: FakeStream,
    store: ModelStore,
    scheduler: Scheduler,
    options: ModelMemberOptions,
  ) {
    this.#member = member;
    this.#stream = stream;
    this.#store = store;
    this.#scheduler = scheduler;
    this.#options = options;
    stream.onRequest = (bytes) => this.#onRequest(WatchRequest.decode(bytes));
    store.onCommit(() => this.#pump());
  }

  #onRequest({ requestUnion }: WatchRequest): void {
    switch (requestUnion?.$case) {
      case "createRequest":
        this.#create(requestUnion.value);
        break;
      case "cancelRequest":
        this.#watches.delete(requestUnion.value.watchId);
        this.#queue({ watchId: requestUnion.value.watchId, canceled: true });
        break;
      case "progressRequest":
        this.#member.progressRequests++;
        if (this.#member.answersProgress) this.#queue({ watchId: -1n });
        break;
      case undefined:
        break; // A request of a kind that this member does not know.
    }
    this.#pump();
  }

  #create(request: WatchCreateRequest): void {
    this.#member.creates.push(request);
    const next = request.startRevision === 0n ? this.#store.revision + 1 : Number(request.startRevision);
    this.#queue({ watchId: request.watchId, created: true });
    if (next < this.#store.compactRevision)
      this.#queue({ watchId: request.watchId, canceled: true, compactRevision: this.#store.compactRevision });
    else this.#watches.set(request.watchId, { id: request.watchId, request, next });
  }

  /** Puts a frame in line. Its header has the store's present revision, whatever the frame tells. */
  #queue(frame: Partial<WatchResponse>): void {
    const header = { clusterId: 1n, memberId: 1n, revision: this.#store.revision, raftTerm: 1 };
    this.#frames.push(WatchResponse.fromPartial({ ...frame, header }));
  }

  /** Sends one frame a millisecond. */
  #pump(): void {
    if (this.#pumping || !this.#stream.open) return;
    if (this.#frames.length === 0) this.#queueEvents();
    const frame = this.#frames.shift();
    if (frame === undefined) return;
    this.#pumping = true;
    this.#scheduler.after(1, () => {
      this.#pumping = false;
      if (this.#options.onFrame?.() === "cut") return this.#stream.end(connectionLost());
      this.#stream.send(WatchResponse.encode(frame).finish());
      this.#pump();
    });
  }

  #queueEvents(): void {
    for (const watch of this.#watches.values()) {
      const revisions = this.#store.history
        .filter(({ revision }) => revision >= watch.next)
        .slice(0, this.#options.batchRevisions ?? 3);
      const last = revisions.at(-1);
      if (last === undefined) continue;
      watch.next = last.revision + 1;
      this.#queueFragments(
        watch,
        this.#matching(
          watch,
          revisions.flatMap(({ events }) => [...events]),
        ),
      );
    }
  }

  #matching({ request }: ModelWatch, events: readonly Event[]): readonly Event[] {
    return events.filter(({ kv, type }) => {
      return kv !== undefined && inRange(kv.key, request.key, request.rangeEnd) && !request.filters.includes(type);
    });
  }

  #queueFragments({ id }: ModelWatch, events: readonly Event[]): void {
    const size = this.#options.fragmentEvents ?? Number.MAX_SAFE_INTEGER;
    for (let start = 0; start < events.length; start += size) {
      const part = events.slice(start, start + size);
      this.#queue({ watchId: id, events: part, fragment: start + size < events.length });
    }
  }
}
