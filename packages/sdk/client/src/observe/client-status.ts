/** @module What happens to a client that no single call tells: one source for handlers and iterations. */

import { abortedError } from "../calls/call-scope.ts";
import type { ConclaveError } from "../conclave-error.ts";
import { type HandlerErrorSink, IsolatedEmitter } from "../isolated-emitter.ts";
import { onAbort } from "../on-abort.ts";
import { BatchQueue } from "../watch/batch-queue.ts";

/** Something that happened to a client. */
export type ClientStatus =
  | {
      /** An endpoint that was passed over answers again. */
      readonly type: "endpointUp";
      /** The endpoint, as the client was given it. */
      readonly endpoint: string;
    }
  | {
      /** An endpoint could not be reached, went silent or has no leader; it is passed over for a time. */
      readonly type: "endpointDown";
      /** The endpoint, as the client was given it. */
      readonly endpoint: string;
      /** How often in a row. */
      readonly failures: number;
    }
  | {
      /** The members have changed: see `ClientOptions.syncIntervalMs`. */
      readonly type: "endpointsChanged";
      /** The endpoints from now on. */
      readonly endpoints: readonly string[];
    }
  | {
      /** The members could not be asked for; the endpoints stay as they are until the next time. */
      readonly type: "syncFailed";
      /** Why. */
      readonly error: ConclaveError;
    }
  | {
      /** The stream of the watches is gone; they go on from their cursors when there is another. */
      readonly type: "watchDisconnected";
      /** The endpoint it led to. */
      readonly endpoint: string;
      /** Why. */
      readonly error: ConclaveError;
    }
  | {
      /** The stream of the watches stands. */
      readonly type: "watchConnected";
      /** The endpoint it leads to. */
      readonly endpoint: string;
    }
  | {
      /** A session is lost. */
      readonly type: "sessionLost";
      /** Its lease. */
      readonly lease: bigint;
      /** `SESSION_LOST`, and why. */
      readonly error: ConclaveError;
    }
  | {
      /** The thread of `SessionOptions.renewer` has failed; the main loop renews its leases until another one does. */
      readonly type: "renewerFailed";
      /** Why. */
      readonly error: ConclaveError;
      /** How many threads in a row failed before they renewed anything. */
      readonly failures: number;
    }
  | {
      /** The iteration was too slow: so many events are missing here. */
      readonly type: "missed";
      /** How many. */
      readonly count: number;
    }
  | {
      /** The client was closed; nothing follows. */
      readonly type: "closed";
    };

/** The events of a client. */
export type ClientEvents = {
  /** Something happened to the client. */
  status: [status: ClientStatus];
};

/** How many events wait for an iteration before they are counted only. */
const waitingMax = 256;

/** Takes what happens and tells everybody. */
export class StatusHub {
  readonly events: IsolatedEmitter<ClientEvents>;
  #closed = false;

  /** @param onHandlerError - takes what handlers throw */
  constructor(onHandlerError: HandlerErrorSink) {
    this.events = new IsolatedEmitter(onHandlerError);
  }

  /** Tells that something happened. */
  emit(status: ClientStatus): void {
    if (this.#closed) return;
    this.#closed = status.type === "closed";
    this.events.emit("status", status);
  }

  /** What happens from now on, until the client is closed or the signal aborts. */
  iterate(signal?: AbortSignal): AsyncIterableIterator<ClientStatus, undefined> {
    const queue = new BatchQueue<ClientStatus>(() => 1);
    let missed = 0;
    const stop = this.events.on("status", (status) => {
      if (queue.length >= waitingMax && status.type !== "closed") missed++;
      else {
        if (missed > 0) queue.push({ type: "missed", count: missed });
        missed = 0;
        queue.push(status);
      }
      if (status.type === "closed") end();
    });
    const end = (error?: ConclaveError) => {
      stop();
      unlisten();
      queue.end(error);
    };
    const unlisten = signal === undefined ? () => {} : onAbort(signal, () => end(abortedError("status()", signal)));
    if (signal?.aborted) end(abortedError("status()", signal));
    else if (this.#closed) end();
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      async next() {
        const value = await queue.next();
        return value === undefined ? { done: true, value: undefined } : { done: false, value };
      },
      async return() {
        end();
        return { done: true, value: undefined };
      },
    };
  }
}
