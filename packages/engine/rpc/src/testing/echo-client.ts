/**
 * @module A client of the echo service: grpc-js's, with promises.
 */
import type { KeyValue } from "@conclave/protocol/mvccpb";
import { KeyValue as KeyValueCodec } from "@conclave/protocol/mvccpb";
import * as grpc from "@grpc/grpc-js";

/** How a call ended, and what came before. */
export interface Outcome {
  /** The status code. */
  readonly code: grpc.status;
  /** The status message. */
  readonly details: string;
  /** The responses. */
  readonly responses: readonly KeyValue[];
  /** Metadata before and after the responses. */
  readonly headers: grpc.Metadata;
  readonly trailers: grpc.Metadata;
}

/** A call under way. */
export interface OngoingCall {
  /** How it ends. */
  readonly outcome: Promise<Outcome>;
  /** Sends a request, of a call whose client streams. */
  send(request: KeyValue): void;
  /** Ends the client's half. */
  end(): void;
  /** Cancels the call. */
  cancel(): void;
  /** The next response. */
  next(): Promise<KeyValue>;
}

/** What a call is told. */
export interface EchoCallOptions extends grpc.CallOptions {
  readonly metadata?: grpc.Metadata;
}

const encode = (message: KeyValue): Buffer => Buffer.from(KeyValueCodec.encode(message).finish());
const decode = (bytes: Buffer): KeyValue => KeyValueCodec.decode(bytes);

/** A client of one server. */
export class EchoClient implements Disposable {
  readonly #client: grpc.Client;

  constructor(address: string, options: grpc.ClientOptions = {}) {
    this.#client = new grpc.Client(address, grpc.credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
      ...options,
    });
  }

  /** Calls a method with one request and waits for the end. */
  call(method: string, request: KeyValue, options: EchoCallOptions = {}): Promise<Outcome> {
    return this.open(method, request, options).outcome;
  }

  /** Calls a method with one request. */
  open(method: string, request: KeyValue, { metadata, ...options }: EchoCallOptions = {}): OngoingCall {
    const path = method.startsWith("/") ? method : `/test.Echo/${method}`;
    const call = this.#client.makeServerStreamRequest(
      path,
      encode,
      decode,
      request,
      metadata ?? new grpc.Metadata(),
      options,
    );
    return follow(call, { send: () => undefined, end: () => undefined });
  }

  /** Calls a method whose client streams. */
  stream(method: string, { metadata, ...options }: EchoCallOptions = {}): OngoingCall {
    const path = `/test.Echo/${method}`;
    const call = this.#client.makeBidiStreamRequest(path, encode, decode, metadata ?? new grpc.Metadata(), options);
    return follow(call, { send: (request) => void call.write(request), end: () => void call.end() });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

type Sending = Pick<OngoingCall, "send" | "end">;
type AnyCall = grpc.ClientReadableStream<KeyValue> | grpc.ClientDuplexStream<KeyValue, KeyValue>;

function follow(call: AnyCall, sending: Sending): OngoingCall {
  const responses: KeyValue[] = [];
  const waiters: ((response: KeyValue) => void)[] = [];
  let taken = 0;
  let headers = new grpc.Metadata();
  call.on("metadata", (received: grpc.Metadata) => {
    headers = received;
  });
  call.on("data", (response: KeyValue) => {
    responses.push(response);
    if (waiters.length > 0) taken++;
    waiters.shift()?.(response);
  });
  // The status says the same; without a listener the error would end the process.
  call.on("error", () => undefined);
  const outcome = new Promise<Outcome>((resolve) => {
    call.on("status", ({ code, details, metadata }) =>
      resolve({ code, details, responses, headers, trailers: metadata }),
    );
  });
  const next = (): Promise<KeyValue> => {
    const response = responses[taken];
    if (response === undefined) return new Promise((resolve) => waiters.push(resolve));
    taken++;
    return Promise.resolve(response);
  };
  return { ...sending, outcome, next, cancel: () => call.cancel() };
}
