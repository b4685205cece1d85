import { encodeWatchResponse } from "@conclave/mvcc";
import type { WatchRequest, WatchResponse } from "@conclave/protocol/etcdserverpb";
import type { RequestStream, ResponseStream, ServerCall } from "@conclave/rpc";
import type { Member } from "../member.ts";

/** The Watch service: one stream carries any number of watchers. */
export class WatchService {
  readonly #member: Member;

  constructor(member: Member) {
    this.#member = member;
  }

  async watch(
    requests: RequestStream<WatchRequest>,
    out: ResponseStream<WatchResponse>,
    call: ServerCall,
  ): Promise<void> {
    const { watchFeed } = this.#member;
    const stream = watchFeed.open({
      send: (response) => {
        const hasRoom = out.writeEncoded(encodeWatchResponse(response));
        if (!hasRoom) out.drained().then(() => stream.resume(), ignore);
        return hasRoom;
      },
    });
    const onRequest = ({ requestUnion: request }: WatchRequest): Promise<void> => {
      if (request?.$case === "createRequest") stream.create(request.value);
      else if (request?.$case === "cancelRequest") stream.cancel(request.value.watchId);
      else if (request?.$case === "progressRequest") stream.requestProgress();
      // A client that reads no answers must not make more of them.
      return out.drained();
    };
    try {
      await requests.forEach(onRequest);
      // A client that has nothing more to ask goes on watching until it leaves.
      await aborted(call.signal);
    } finally {
      watchFeed.close(stream);
    }
  }
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
