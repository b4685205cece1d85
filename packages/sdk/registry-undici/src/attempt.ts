/** @module One try of a request, at one instance. */
import type { IncomingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";
import type { Picked } from "@conclave/registry";
import type { Dispatcher } from "undici";

type Controller = Dispatcher.DispatchController;
type Headers = IncomingHttpHeaders;

/** Who gets what a request comes to: every method there, in the present form of undici. */
export type Outlet = Required<
  Pick<
    Dispatcher.DispatchHandler,
    "onRequestStart" | "onRequestUpgrade" | "onResponseStart" | "onResponseData" | "onResponseEnd" | "onResponseError"
  >
>;

/** Answers from here on say that the instance, not the request, is at fault. */
const serverErrorMin = 500;

/**
 * Passes on what happens and tells the balancer how it went, except for an error before anything was sent: then nobody has
 * heard of the request, and another instance may be tried.
 */
export class Attempt implements Outlet {
  readonly #picked: Picked<unknown>;
  readonly #outlet: Outlet;
  readonly #onUnsent: (error: Error) => void;
  #isSent = false;
  #isFaulty = false;

  /**
   * @param picked - the instance
   * @param made - who gets what the request comes to, and who hears that it could not be sent
   */
  constructor(picked: Picked<unknown>, made: { readonly outlet: Outlet; readonly onUnsent: (error: Error) => void }) {
    this.#picked = picked;
    this.#outlet = made.outlet;
    this.#onUnsent = made.onUnsent;
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.#isSent = true;
    this.#outlet.onRequestStart(controller, context);
  }

  onRequestUpgrade(controller: Controller, statusCode: number, headers: Headers, socket: Duplex): void {
    this.#picked.done("ok");
    this.#outlet.onRequestUpgrade(controller, statusCode, headers, socket);
  }

  onResponseStart(controller: Controller, statusCode: number, headers: Headers, statusMessage?: string): void {
    this.#isFaulty = statusCode >= serverErrorMin;
    this.#outlet.onResponseStart(controller, statusCode, headers, statusMessage);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#outlet.onResponseData(controller, chunk);
  }

  onResponseEnd(controller: Controller, trailers: Headers): void {
    this.#picked.done(this.#isFaulty ? "failed" : "ok");
    this.#outlet.onResponseEnd(controller, trailers);
  }

  onResponseError(controller: Controller, error: Error): void {
    if (this.#isSent) {
      this.#picked.done(controller.aborted ? "canceled" : "failed");
      this.#outlet.onResponseError(controller, error);
      return;
    }
    this.#picked.done("failed");
    this.#onUnsent(error);
  }
}
