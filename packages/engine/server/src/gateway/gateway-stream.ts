/** @module The stream of a call as one exchange over HTTP/1.1: what gRPC answers, told as JSON. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { GrpcStatus } from "@conclave/protocol";
import { jsonOf } from "@conclave/protocol/json";
import { type OutgoingFields, prefixBytes, type RpcStatus, type TransportStream } from "@conclave/rpc";
import type { HttpExchange } from "../http/http-answer.ts";
import { errorBody, errorLine, httpStatusOf } from "./http-status.ts";

/** How a call is answered. */
export interface ResponseForm {
  /** Full name of the messages. */
  readonly type: string;
  /** Whether there may be any number of them: each is a line then. */
  readonly isStream: boolean;
}

const jsonType = "application/json";

/** gRPC's own header fields come to clients of the gateway under another name; this one is always there. */
const okFields = { "content-type": jsonType, "grpc-metadata-content-type": "application/grpc" };

function statusOf(trailers: OutgoingFields): RpcStatus {
  const code = Number(trailers["grpc-status"] ?? GrpcStatus.Ok) as GrpcStatus;
  return { code, message: decodeURIComponent(String(trailers["grpc-message"] ?? "")) };
}

/** Sends an error as the whole response. */
export function respondError(response: ServerResponse, status: RpcStatus): void {
  respondJson(response, httpStatusOf(status.code), errorBody(status));
}

function respondJson(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": jsonType, "content-length": Buffer.byteLength(body) }).end(body);
}

/** Carries what a call answers. What comes after the end, or after the client has gone, is dropped. */
export class GatewayStream implements TransportStream {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #form: ResponseForm;

  constructor({ request, response }: HttpExchange, form: ResponseForm) {
    this.#request = request;
    this.#response = response;
    this.#form = form;
  }

  get bufferedBytes(): number {
    return this.#response.writableLength;
  }

  respond(): void {
    if (!this.#isOver) this.#response.writeHead(200, okFields).flushHeaders();
  }

  write(frame: Uint8Array): void {
    if (!this.#isOver) this.#response.write(`{"result":${this.#json(frame)}}\n`);
  }

  end(trailers: OutgoingFields): void {
    const status = statusOf(trailers);
    if (!this.#isOver) this.#response.end(status.code === GrpcStatus.Ok ? "" : errorLine(status));
  }

  respondAll(_headers: OutgoingFields, frame: Uint8Array): void {
    if (this.#isOver) return;
    const body = this.#json(frame);
    this.#response.writeHead(200, { ...okFields, "content-length": Buffer.byteLength(body) }).end(body);
  }

  reject(headers: OutgoingFields): void {
    if (this.#isOver) return;
    const status = statusOf(headers);
    if (this.#form.isStream) respondJson(this.#response, httpStatusOf(status.code), errorLine(status));
    else respondError(this.#response, status);
  }

  pause(): void {
    this.#request.pause();
  }

  resume(): void {
    this.#request.resume();
  }

  /** Ends the exchange because the client does not keep to its form, whatever was sent so far. */
  fail(status: RpcStatus): void {
    if (this.#isOver) return;
    if (this.#response.headersSent) {
      this.#response.end(errorLine(status));
      return;
    }
    // What the client may still send cannot be read.
    this.#response.shouldKeepAlive = false;
    respondError(this.#response, status);
  }

  get #isOver(): boolean {
    return this.#response.destroyed || this.#response.writableEnded;
  }

  #json(frame: Uint8Array): string {
    return jsonOf(this.#form.type, frame.subarray(prefixBytes));
  }
}
