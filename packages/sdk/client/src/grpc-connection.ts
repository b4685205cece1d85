import { GrpcStatus } from "@conclave/protocol";
import { type Client, connectivityState as State } from "@grpc/grpc-js";
import { onAbort } from "./on-abort.ts";
import { TransportError } from "./transport.ts";

/** The channel of a client. */
export type Channel = ReturnType<Client["getChannel"]>;

/** How long to wait for a connection. */
export interface ConnectionWait {
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** Most time to wait, in milliseconds. */
  readonly timeoutMs: number;
}

/** Whether a call made now would wait for a connection, rather than go out or fail at once. */
export function isConnecting(channel: Channel): boolean {
  const state = channel.getConnectivityState(true);
  return state === State.IDLE || state === State.CONNECTING;
}

/**
 * Resolves when a call would go out or fail at once. A call that is only made then, and is not made when this
 * rejects, has provably not been sent in the second case.
 *
 * @throws TransportError that nothing was sent, if the signal aborts or the time passes first
 */
export async function connectionAttempted(channel: Channel, wait: ConnectionWait): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_resolve, reject) => {
    const message = `no connection within ${wait.timeoutMs} ms`;
    timer = setTimeout(() => reject(unsent(GrpcStatus.Unavailable, message)), wait.timeoutMs);
  });
  let unlisten: () => void = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    unlisten = onAbort(wait.signal, () => reject(unsent(GrpcStatus.Canceled, "canceled before it was sent")));
  });
  try {
    while (isConnecting(channel)) await Promise.race([stateChange(channel), over, aborted]);
  } finally {
    clearTimeout(timer);
    unlisten();
  }
}

function stateChange(channel: Channel): Promise<void> {
  return new Promise((resolve) => {
    // Without a deadline of its own, which would keep the process alive: the caller has one.
    channel.watchConnectivityState(channel.getConnectivityState(false), Number.POSITIVE_INFINITY, () => resolve());
  });
}

/** The error of a call that was not made. */
export function unsent(status: GrpcStatus, message: string): TransportError {
  return new TransportError(status, message, { sent: false });
}
