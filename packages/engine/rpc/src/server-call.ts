import type { Metadata } from "./metadata.ts";
import type { Peer } from "./transport.ts";

/** What a handler knows of the call it serves. */
export interface ServerCall {
  /** The full name of the method, as in `/etcdserverpb.KV/Put`. */
  readonly path: string;
  /** What the client sent along. */
  readonly metadata: Metadata;
  /** Where the call comes from. */
  readonly peer: Peer;
  /** When the client stops waiting, by the clock of `performance.now()`; undefined if it waits for ever. */
  readonly deadlineMs: number | undefined;
  /**
   * Aborts when nobody waits for an answer any more: the client cancelled or is gone, the deadline passed, or the
   * server closes. Its reason is an `RpcError` with the status that fits. Created when first asked for, so a
   * handler that ends soon does not pay for it. A call that was answered does not abort.
   */
  readonly signal: AbortSignal;
  /**
   * Sends metadata with the response's header fields.
   *
   * @throws Error if the header fields have left already, which the first response does
   */
  setHeader(name: string, value: string | Uint8Array): void;
  /** Sends metadata after the last response, with the status. */
  setTrailer(name: string, value: string | Uint8Array): void;
}
