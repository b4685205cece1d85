import { GrpcStatus } from "@conclave/protocol";
import { type Client, connectivityState as State } from "@grpc/grpc-js";
import { TransportError, unsent } from "./transport.ts";

/** The channel of a client. */
export type Channel = ReturnType<Client["getChannel"]>;

/** Notes for as long as a channel lives when it is connected. */
export class ConnectionTracker {
  readonly #channel: Channel;
  #state: State;
  #timesUp = 0;

  /** @param channel - a new one, or one that is not tracked yet */
  constructor(channel: Channel) {
    this.#channel = channel;
    this.#state = channel.getConnectivityState(false);
    this.#watch();
  }

  /**
   * Begins to note whether the channel is connected, be it ever so briefly.
   *
   * @returns says whether it has been: if not, no call made since can have been sent
   */
  begin(): () => boolean {
    const timesBefore = this.#state === State.READY ? this.#timesUp - 1 : this.#timesUp;
    return () => this.#timesUp > timesBefore;
  }

  #watch(): void {
    // Without a deadline, which would keep the process alive.
    this.#channel.watchConnectivityState(this.#state, Number.POSITIVE_INFINITY, () => {
      this.#state = this.#channel.getConnectivityState(false);
      if (this.#state === State.READY) this.#timesUp++;
      if (this.#state !== State.SHUTDOWN) this.#watch();
    });
  }
}

/** A running call, as far as its connection is concerned. */
export interface CallConnection {
  /** What the transport says of an error that the call ended with. */
  errorOf(error: { readonly code: number; readonly details: string } | null): TransportError;
  /** The call is over. */
  stop(): void;
}

/**
 * Watches over the connection of a call that is about to be made, and cancels the call if there is none in time.
 *
 * @param tracker - tracks the channel of the call
 * @param options - `timeoutMs`: how long to wait for a connection; `cancel`: cancels the call
 */
export function overseeConnection(
  tracker: ConnectionTracker,
  { timeoutMs, cancel }: { readonly timeoutMs: number; readonly cancel: () => void },
): CallConnection {
  const wasUp = tracker.begin();
  let late: TransportError | undefined;
  const giveUp = () => {
    if (wasUp()) return;
    late = unsent(GrpcStatus.Unavailable, `no connection within ${timeoutMs} ms`);
    cancel();
  };
  const timer = wasUp() ? undefined : setTimeout(giveUp, timeoutMs);
  return {
    errorOf(error) {
      if (late !== undefined) return late;
      if (error === null) return new TransportError(GrpcStatus.Internal, "no response");
      // grpc-js leaves the status out where it cannot read an answer.
      const status = Object.values(GrpcStatus).find((known) => known === error.code) ?? GrpcStatus.Unknown;
      // What a channel says that has failed to connect, and only then.
      const refused = status === GrpcStatus.Unavailable && error.details.startsWith("No connection established");
      const cause = error instanceof Error ? { cause: error } : {};
      return new TransportError(status, error.details, { ...cause, sent: wasUp() && !refused });
    },
    stop: () => clearTimeout(timer),
  };
}
