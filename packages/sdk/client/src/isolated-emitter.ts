import { EventEmitter } from "eventemitter3";
import { ConclaveError } from "./conclave-error.ts";

/** The events of an emitter: their names and what their handlers are given. */
export type EventMap = Record<string, readonly unknown[]>;

/** Where events can be listened to. */
export interface EventSource<Events extends EventMap> {
  /** Calls a handler at every event of this name. @returns takes the handler back */
  on<Name extends keyof Events & string>(name: Name, handler: (...args: Events[Name]) => unknown): () => void;
  /** Calls a handler at the next event of this name only. @returns takes the handler back */
  once<Name extends keyof Events & string>(name: Name, handler: (...args: Events[Name]) => unknown): () => void;
}

/** Takes what a handler threw. */
export type HandlerErrorSink = (error: ConclaveError) => void;

/** Shows what a handler threw as a warning of the process, which goes on. */
export function warnOfHandlerError(error: ConclaveError): void {
  process.emitWarning(error.stack ?? error.message, { type: "ConclaveWarning", code: error.code });
}

/** An emitter whose handlers cannot hurt the emitter or each other: what one throws goes to a sink. */
export class IsolatedEmitter<Events extends EventMap> implements EventSource<Events> {
  readonly #emitter = new EventEmitter<string>();
  readonly #onHandlerError: HandlerErrorSink;

  /** @param onHandlerError - takes what handlers throw, wrapped as `HANDLER_FAILED` */
  constructor(onHandlerError: HandlerErrorSink) {
    this.#onHandlerError = onHandlerError;
  }

  /** How many handlers an event has. */
  count(name: keyof Events & string): number {
    return this.#emitter.listenerCount(name);
  }

  on<Name extends keyof Events & string>(name: Name, handler: (...args: Events[Name]) => unknown): () => void {
    // A wrapper, so that the same function given twice is two handlers and each is taken back alone.
    const entry = (...args: unknown[]) => handler(...(args as unknown as Events[Name]));
    this.#emitter.on(name, entry);
    return () => {
      this.#emitter.off(name, entry);
    };
  }

  once<Name extends keyof Events & string>(name: Name, handler: (...args: Events[Name]) => unknown): () => void {
    const off = this.on(name, (...args) => {
      off();
      return handler(...args);
    });
    return off;
  }

  /** Calls every handler of an event, in the order they were added. */
  emit<Name extends keyof Events & string>(name: Name, ...args: Events[Name]): void {
    for (const handler of this.#emitter.listeners(name)) {
      try {
        const result: unknown = handler(...args);
        if (result instanceof Promise) result.catch((cause: unknown) => this.#report(name, cause));
      } catch (cause) {
        this.#report(name, cause);
      }
    }
  }

  #report(name: string, cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#onHandlerError(new ConclaveError("HANDLER_FAILED", `A handler of "${name}" failed: ${reason}`, { cause }));
  }
}
