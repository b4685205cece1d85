import { Readable } from "node:stream";
import type { Scheduler } from "@conclave/base";
import { type ClientStream, type ClientTransport, sleep, TransportError } from "@conclave/client";
import { GrpcStatus } from "@conclave/protocol";
import { WatchCreateRequest, WatchRequest, WatchResponse } from "@conclave/protocol/etcdserverpb";

/** How to watch. */
export interface WatchResponsesOptions {
  /** Ends the watch; the iteration then throws. Default: none. */
  readonly signal?: AbortSignal;
  /** Where the watch can be asked how far it is; it answers with a response without events. Default: nowhere. */
  readonly progress?: ProgressQuestion;
}

/**
 * Opens a watch whose responses are the server's own, whole with their headers. It outlives the connection, going
 * on after what it has told, and ends after a response that cancels it.
 */
export type WatchResponses = (
  request: Partial<WatchCreateRequest>,
  options?: WatchResponsesOptions,
) => AsyncIterable<WatchResponse>;

/** A question to all watches that were given it: up to which revision has each told everything? */
export class ProgressQuestion {
  readonly #streams = new Set<ClientStream>();

  /** Asks those that stand on a server now. */
  ask(): void {
    const request = WatchRequest.encode({ requestUnion: { $case: "progressRequest", value: {} } }).finish();
    for (const stream of this.#streams) stream.write(request);
  }

  /** Has a stream asked too; returns what takes that back. */
  reach(stream: ClientStream): () => void {
    this.#streams.add(stream);
    return () => this.#streams.delete(stream);
  }
}

const path = "/etcdserverpb.Watch/Watch";
const reconnectMs = 250;
const bufferedResponsesMax = 64;

/** What watches are made with. */
export interface WatchPorts {
  /** Moves the bytes. */
  readonly transport: ClientTransport;
  /** The servers, at least one; another one is asked after a connection is lost. */
  readonly addresses: readonly string[];
  /** Waits before that. */
  readonly scheduler: Scheduler;
}

/** Makes {@link WatchResponses} of a transport. */
export function createWatchResponses({ transport, addresses, scheduler }: WatchPorts): WatchResponses {
  return async function* watch(partial, { signal = new AbortController().signal, progress } = {}) {
    const request = WatchCreateRequest.fromPartial(partial);
    for (let attempt = 0; ; attempt++) {
      try {
        const endpoint = addresses[attempt % addresses.length] ?? "";
        for await (const response of openWatch(transport, { endpoint, request, signal, progress })) {
          request.startRevision = nextRevision(response, request.startRevision);
          if (response.created && !response.canceled) continue;
          yield response;
          if (response.canceled) return;
        }
      } catch (error) {
        if (!(error instanceof TransportError && error.status === GrpcStatus.Unavailable)) throw error;
      }
      await sleep(scheduler, reconnectMs, signal);
      signal.throwIfAborted();
    }
  };
}

/** Where to go on after a response if the connection is lost. */
function nextRevision({ events, created, header }: WatchResponse, current: bigint): bigint {
  const last = events.at(-1)?.kv?.modRevision;
  if (last !== undefined) return BigInt(last) + 1n;
  return created && current === 0n && header !== undefined ? BigInt(header.revision) + 1n : current;
}

interface OpenWatch {
  readonly endpoint: string;
  readonly request: WatchCreateRequest;
  readonly signal: AbortSignal;
  readonly progress: ProgressQuestion | undefined;
}

/** The responses of one stream; leaving the iteration ends it. */
function openWatch(
  transport: ClientTransport,
  { endpoint, request, signal, progress }: OpenWatch,
): AsyncIterable<WatchResponse> {
  const responses = new Readable({
    objectMode: true,
    highWaterMark: bufferedResponsesMax,
    signal,
    read: () => stream.resume(),
    destroy(error, done) {
      unreach?.();
      stream.cancel();
      done(error);
    },
  });
  const stream = transport.stream(
    { endpoint, path, metadata: {} },
    {
      onMessage(bytes) {
        if (!responses.push(WatchResponse.decode(bytes))) stream.pause();
      },
      onEnd: (error) => (error === undefined ? responses.push(null) : responses.destroy(error)),
    },
  );
  stream.write(WatchRequest.encode({ requestUnion: { $case: "createRequest", value: request } }).finish());
  const unreach = progress?.reach(stream);
  return responses;
}
