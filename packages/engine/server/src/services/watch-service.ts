import { encodeWatchResponse } from "@conclave/mvcc";
import type { WatchRequest, WatchResponse } from "@conclave/protocol/etcdserverpb";
import type { RequestStream, ResponseStream } from "@conclave/rpc";
import type { Member } from "../member.ts";

/** The Watch service: one stream carries any number of watchers. */
export class WatchService {
  readonly #member: Member;

  constructor(member: Member) {
    this.#member = member;
  }

  async watch(requests: RequestStream<WatchRequest>, out: ResponseStream<WatchResponse>): Promise<void> {
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
    } finally {
      watchFeed.close(stream);
    }
  }
}

/** The call is over; whoever reads its requests hears of that. */
function ignore(): void {}
