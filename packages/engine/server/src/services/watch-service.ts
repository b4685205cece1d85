import { encodeWatchResponse, type WatchStream } from "@conclave/mvcc";
import type { WatchCreateRequest, WatchRequest, WatchResponse } from "@conclave/protocol/etcdserverpb";
import type { RequestStream, ResponseStream, ServerCall } from "@conclave/rpc";
import type { AccessControl } from "../auth/access-control.ts";
import { WatchPermits } from "../auth/watch-permits.ts";
import type { Member } from "../member.ts";

/** The Watch service: one stream carries any number of watchers. */
export class WatchService {
  readonly #member: Member;
  readonly #access: AccessControl;

  constructor(member: Member, access: AccessControl) {
    this.#member = member;
    this.#access = access;
  }

  async watch(
    requests: RequestStream<WatchRequest>,
    out: ResponseStream<WatchResponse>,
    call: ServerCall,
  ): Promise<void> {
    const { watchFeed, auth } = this.#member;
    const permits = new WatchPermits(this.#access, auth, call);
    const stream = watchFeed.open({
      send: (response) => {
        permits.onResponse(response);
        const hasRoom = out.writeEncoded(...encodeWatchResponse(response));
        if (!hasRoom) out.drained().then(() => stream.resume(), ignore);
        return hasRoom;
      },
    });
    const stopListening = auth.onChange(() => {
      for (const [watchId, reason] of permits.revoked()) stream.cancel(watchId, reason);
    });
    const onRequest = ({ requestUnion: request }: WatchRequest): Promise<void> => {
      if (request?.$case === "createRequest") {
        if (this.#access.enabled) return createIfPermitted(stream, permits, request.value).then(() => out.drained());
        permits.allow(request.value);
        stream.create(request.value);
      } else if (request?.$case === "cancelRequest") stream.cancel(request.value.watchId);
      else if (request?.$case === "progressRequest") stream.requestProgress();
      // A client that reads no answers must not make more of them.
      return out.drained();
    };
    try {
      await requests.forEach(onRequest);
      // A client that has nothing more to ask goes on watching until it leaves.
      await aborted(call.signal);
    } finally {
      stopListening();
      watchFeed.close(stream);
    }
  }
}

async function createIfPermitted(
  stream: WatchStream,
  permits: WatchPermits,
  request: WatchCreateRequest,
): Promise<void> {
  const reason = await permits.refusalOf(request);
  if (reason === undefined) stream.create(request);
  else stream.refuse(reason);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** The call is over; whoever reads its requests hears of that. */
function ignore(): void {}
