import type { WatchHubResponse, WatchSink, WatchStream } from "@conclave/mvcc";
import type { WatchCreateRequest } from "@conclave/protocol/etcdserverpb";

/** The watches of a service inside the member. */
export type OpenedWatches = Pick<WatchStream, "create" | "resume" | "close">;

/** Where a service inside the member opens watches. */
export interface WatchOpener {
  open(sink: WatchSink): OpenedWatches;
}

/** Responses that may wait to be taken before the hub is told to hold back. */
const roomForResponses = 16;

/**
 * Watches from inside the member. The responses are those with events; it ends when one of the watchers can go on no
 * more because its history was compacted or what it shows may not be read any more, and closes its stream when it is
 * left.
 *
 * @throws the signal's reason once that is aborted
 */
export async function* watchResponses(
  watches: WatchOpener,
  requests: readonly WatchCreateRequest[],
  signal: AbortSignal,
): AsyncGenerator<WatchHubResponse, void> {
  const waiting: WatchHubResponse[] = [];
  let wake = (): void => {};
  const onAbort = (): void => wake();
  const stream = watches.open({
    send: (response) => {
      if (!response.created) waiting.push(response);
      wake();
      return waiting.length < roomForResponses;
    },
  });
  signal.addEventListener("abort", onAbort);
  try {
    for (const request of requests) stream.create(request);
    for (;;) {
      signal.throwIfAborted();
      const response = waiting.shift();
      if (response?.canceled === true) return;
      if (response !== undefined) yield response;
      else {
        stream.resume();
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    stream.close();
  }
}
