import { GrpcStatus, type MethodDefinition } from "@conclave/protocol";
import { encodeFromJson, JsonError } from "@conclave/protocol/json";
import { frameMessage, peerOf, RpcError, type RpcStatus, type StreamReceiver } from "@conclave/rpc";
import type { HttpExchange } from "../http/http-answer.ts";
import { callFields } from "./call-fields.ts";
import type { GatewayOptions } from "./gateway.ts";
import { GatewayStream } from "./gateway-stream.ts";
import { JsonSplitter } from "./json-splitter.ts";

/** Where a path of the gateway leads. */
export interface Route {
  /** The method, as in `/etcdserverpb.KV/Put`. */
  readonly method: string;
  /** The same, with its codecs. */
  readonly definition: MethodDefinition;
}

function statusOf(error: unknown): RpcStatus | undefined {
  if (error instanceof RpcError) return { code: error.status, message: error.message };
  return error instanceof JsonError ? { code: GrpcStatus.InvalidArgument, message: error.message } : undefined;
}

/**
 * One call that comes as an exchange over HTTP/1.1. It begins with the first object of the body, so that a body that is
 * none of the wanted kind never becomes a call. Where the client sends no stream, whatever follows that object counts
 * for nothing, and a body without one stands for a request in which nothing is set.
 */
export class GatewayCall {
  readonly #exchange: HttpExchange;
  readonly #route: Route;
  readonly #options: GatewayOptions;
  readonly #splitter: JsonSplitter;
  readonly #stream: GatewayStream;
  #receiver: StreamReceiver | undefined;
  #isRead = false;

  constructor(exchange: HttpExchange, route: Route, options: GatewayOptions) {
    this.#exchange = exchange;
    this.#route = route;
    this.#options = options;
    this.#splitter = new JsonSplitter(options.maxJsonBytes);
    const { responseType, responseStream } = route.definition;
    this.#stream = new GatewayStream(exchange, { type: responseType.$type, isStream: responseStream });
  }

  /** Reads the request and answers it. */
  start(): void {
    const { request, response } = this.#exchange;
    request.on("data", (bytes: Buffer) => this.#orFail(() => this.#onData(bytes)));
    request.on("end", () => this.#orFail(() => this.#onEnd()));
    response.on("drain", () => this.#receiver?.onDrain());
    response.on("close", () => this.#receiver?.onClose());
    // "close" follows, and says all that counts; without a listener an error would end the process.
    response.on("error", () => undefined);
  }

  #onData(bytes: Buffer): void {
    if (this.#isRead) return;
    for (const text of this.#splitter.push(bytes)) {
      this.#send(text);
      if (!this.#route.definition.requestStream) {
        this.#finish();
        return;
      }
    }
  }

  #onEnd(): void {
    if (this.#isRead) return;
    if (this.#splitter.isInside) throw new JsonError("unexpected EOF");
    if (!this.#route.definition.requestStream) this.#send("{}");
    this.#finish();
  }

  #send(text: string): void {
    const message = encodeFromJson(this.#route.definition.requestType.$type, text);
    this.#call().onData(frameMessage(message));
  }

  #finish(): void {
    this.#isRead = true;
    this.#call().onEnd();
  }

  #call(): StreamReceiver {
    const { headers, socket } = this.#exchange.request;
    this.#receiver ??= this.#options.accept(this.#stream, {
      headers: callFields(this.#route.method, headers),
      // Nothing but the address: who comes through a gateway is not known by a certificate, as in etcd.
      peer: { address: peerOf(socket).address },
    });
    return this.#receiver;
  }

  /** Runs a step of reading; a request that cannot be read ends the exchange, and the call if it has begun. */
  #orFail(step: () => void): void {
    try {
      step();
    } catch (error) {
      const status = statusOf(error);
      if (status === undefined) throw error;
      this.#isRead = true;
      this.#stream.fail(status);
      this.#receiver?.onClose();
    }
  }
}
