/**
 * @module Calls as events of `node:diagnostics_channel`, for tracing and metrics. Costs one look at a flag per call
 * while nobody listens.
 */
import { type TracingChannel, tracingChannel } from "node:diagnostics_channel";

/** What a listener of {@link callChannelName} is told of a call. The same object goes with all events of one call. */
export interface CallTrace {
  /** The method, as `etcdserverpb.KV/Put`. */
  readonly method: string;
  /** Every member asked, in order, as the client was given them. Filled while the call runs. */
  readonly endpoints: string[];
  /** What the call ended with, if it failed. Set by the channel. */
  readonly error?: unknown;
}

/**
 * The name of the tracing channel of calls: `tracing:conclave:client:call:start` when a call begins, `:asyncEnd` when it is
 * over, `:error` before that if it failed. One call may take several tries.
 */
export const callChannelName = "conclave:client:call";

const channel: TracingChannel<unknown, CallTrace> = tracingChannel(callChannelName);

/**
 * Runs a call, and tells those who listen.
 *
 * @param method - the method's name
 * @param run - makes the call, noting each member it asks
 */
export function traceCall<Result>(
  method: string,
  run: (noteEndpoint: ((endpoint: string) => void) | undefined) => Promise<Result>,
): Promise<Result> {
  if (!channel.hasSubscribers) return run(undefined);
  const trace: CallTrace = { method, endpoints: [] };
  return channel.tracePromise(() => run((endpoint) => trace.endpoints.push(endpoint)), trace);
}
