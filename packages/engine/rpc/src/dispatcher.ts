import { type CallHead, parseCallHead, type RefusedHead } from "./call-head.ts";
import { FrameEncoder } from "./message-frame.ts";
import { MethodCounters, type MethodStats } from "./method-counters.ts";
import { type Refusal, refusalFields, refusePath } from "./refusal.ts";
import { type CallSettings, type Route, RpcCall } from "./rpc-call.ts";
import { serveCall } from "./serve-call.ts";
import type { ServerCall } from "./server-call.ts";
import type { ServiceBinding } from "./service.ts";
import type { HeaderFields, RequestHead, StreamReceiver, TransportStream } from "./transport.ts";

/** What a dispatcher needs. */
export interface DispatcherOptions {
  /** The services to be called. */
  readonly services: readonly ServiceBinding[];
  /** Longest request, in bytes. */
  readonly maxRequestBytes: number;
  /** Bytes waiting for a slow client above which `write` says that there is no room. */
  readonly highWaterBytes: number;
  /** Whether to measure how long calls take. */
  readonly timeCalls?: boolean;
  /** Longest time that a call with one answer takes as a rule, in milliseconds; default: without bounds. */
  readonly slowCallMs?: number;
  /** Is told of one that took longer; default: nobody. */
  readonly onSlowCall?: (call: ServerCall, tookMs: number) => void;
  /** Is told of what a handler threw that carries no status of its own. */
  readonly onHandlerError: (error: unknown, call: ServerCall) => void;
}

/** What becomes of the rest of a request that was refused. */
const ignoring: StreamReceiver = { onData() {}, onEnd() {}, onDrain() {}, onClose() {} };

function refuse(stream: TransportStream, refusal: Refusal): StreamReceiver {
  stream.reject(refusalFields(refusal));
  return ignoring;
}

/** Finds the method of each stream, and serves the call. */
export class Dispatcher {
  readonly #settings: CallSettings;
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #serviceNames: ReadonlySet<string>;
  readonly #openCalls = new Set<RpcCall>();
  #lastHeaders: HeaderFields = {};
  #lastHead: CallHead | RefusedHead = parseCallHead(this.#lastHeaders);

  constructor(options: DispatcherOptions) {
    this.#serviceNames = new Set(options.services.map(({ fullName }) => fullName));
    this.#routes = new Map(
      options.services
        .flatMap(({ methods }) => methods)
        .map((method) => [
          `/${method.service}/${method.name}`,
          { method, counters: new MethodCounters(method, options.timeCalls === true) },
        ]),
    );
    this.#settings = {
      encoder: new FrameEncoder(),
      maxRequestBytes: options.maxRequestBytes,
      highWaterBytes: options.highWaterBytes,
      slowCallMs: options.slowCallMs ?? Number.POSITIVE_INFINITY,
      onSlowCall: options.onSlowCall ?? (() => undefined),
      onHandlerError: options.onHandlerError,
      onOver: (call) => this.#openCalls.delete(call),
    };
  }

  /** Calls that are not over. */
  get openCalls(): ReadonlySet<RpcCall> {
    return this.#openCalls;
  }

  /** Counts of every method. */
  get stats(): readonly MethodStats[] {
    return Array.from(this.#routes.values(), ({ counters }) => counters);
  }

  /** Takes a stream from a transport. */
  accept(stream: TransportStream, head: RequestHead): StreamReceiver {
    const callHead = this.#headOf(head.headers);
    if (callHead.kind === "refused") return refuse(stream, callHead.refusal);
    const route = this.#routes.get(callHead.path);
    if (route === undefined)
      return refuse(
        stream,
        refusePath(callHead.path, (name) => this.#serviceNames.has(name)),
      );
    const call = new RpcCall(stream, { head, callHead, route, settings: this.#settings });
    this.#openCalls.add(call);
    call.startDeadline();
    if (call.over !== undefined) return ignoring;
    return serveCall(call, route.method, this.#settings.maxRequestBytes);
  }

  /** A client that sends the same fields again is given the same object by its connection: that is read once. */
  #headOf(headers: HeaderFields): CallHead | RefusedHead {
    if (headers !== this.#lastHeaders) {
      this.#lastHead = parseCallHead(headers);
      this.#lastHeaders = headers;
    }
    return this.#lastHead;
  }
}
