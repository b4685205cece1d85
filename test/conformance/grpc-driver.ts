/** @module Calls of the protocol over plain grpc-js, with nothing of our client in between. */
import type { Codec } from "@conclave/protocol";
import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import type { Method } from "./scenario.ts";

/** What became of a call. */
export type Outcome =
  | { readonly kind: "reply"; readonly message: object }
  | { readonly kind: "failure"; readonly status: number; readonly text: string };

/** A unary call under way. */
export interface PendingCall {
  readonly outcome: Promise<Outcome>;
  cancel(): void;
}

/** A stream under way. */
export interface DriverStream {
  send(request: object): void;
  /** Takes what came since the last call. */
  take(): object[];
  /** How the stream ended; undefined while it runs. */
  ended(): Outcome | undefined;
  /** Resolves at the next message or at the end. */
  changed(): Promise<void>;
  /** Says that no more requests follow. */
  end(): void;
  cancel(): void;
}

/** A connection to one server. */
export interface Driver {
  call(method: Method, request: object, metadata?: Readonly<Record<string, string>>): PendingCall;
  /** Calls any path with any bytes. */
  callRaw(path: string, bytes: Uint8Array): PendingCall;
  /** Opens a stream; `request`, if given, is its only one. */
  open(method: Method, request?: object, metadata?: Readonly<Record<string, string>>): DriverStream;
  close(): void;
}

const callTimeoutMs = 20_000;
const identity = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Connects to a server, given as `host:port`. */
export function createDriver(endpoint: string): Driver {
  const client = new Client(endpoint, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
  });
  return {
    call(method, request, metadata = {}) {
      const { requestType, responseType } = method.definition;
      const bytes = encode(requestType, request);
      return callUnary(client, { path: method.path, bytes, metadata }, (answer) => decode(responseType, answer));
    },
    callRaw: (path, bytes) => callUnary(client, { path, bytes, metadata: {} }, () => ({})),
    open: (method, request, metadata = {}) => openStream(client, method, { request, metadata }),
    close: () => client.close(),
  };
}

function encode(codec: Codec<unknown>, message: object): Uint8Array {
  return codec.encode(message).finish();
}

function decode(codec: Codec<unknown>, bytes: Uint8Array): object {
  return codec.decode(bytes) as object;
}

interface UnaryRequest {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
}

function callUnary(
  client: Client,
  { path, bytes, metadata }: UnaryRequest,
  deserialize: (bytes: Buffer) => object,
): PendingCall {
  const options: CallOptions = { deadline: Date.now() + callTimeoutMs };
  let cancel = (): void => undefined;
  const outcome = new Promise<Outcome>((resolve) => {
    const call = client.makeUnaryRequest(
      path,
      identity,
      deserialize,
      bytes,
      Metadata.fromHttp2Headers({ ...metadata }),
      options,
      (error, message) => resolve(error ? failure(error) : { kind: "reply", message: message ?? {} }),
    );
    cancel = () => call.cancel();
  });
  return { outcome, cancel };
}

function failure({ code, details }: ServiceError): Outcome {
  return { kind: "failure", status: code, text: details };
}

interface StreamStart {
  readonly request: object | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

function openStream(client: Client, { path, definition }: Method, { request, metadata }: StreamStart): DriverStream {
  const call = client.makeBidiStreamRequest(
    path,
    (message: object) => identity(encode(definition.requestType, message)),
    (bytes) => decode(definition.responseType, bytes),
    Metadata.fromHttp2Headers({ ...metadata }),
  );
  const inbox = collect(call);
  if (request !== undefined) {
    call.write(request);
    call.end();
  }
  return {
    ...inbox,
    send: (message) => void call.write(message),
    end: () => void call.end(),
    cancel: () => call.cancel(),
  };
}

function collect(call: ClientDuplexStream<object, object>): Pick<DriverStream, "take" | "ended" | "changed"> {
  const messages: object[] = [];
  const waiters: (() => void)[] = [];
  let outcome: Outcome | undefined;
  const wake = () => {
    for (const waiter of waiters.splice(0)) waiter();
  };
  const finish = (how: Outcome) => {
    outcome ??= how;
    wake();
  };
  call.on("data", (message: object) => {
    messages.push(message);
    wake();
  });
  call.on("error", (error: ServiceError) => finish(failure(error)));
  call.on("end", () => finish({ kind: "reply", message: {} }));
  return {
    take: () => messages.splice(0),
    ended: () => outcome,
    changed: () => new Promise((resolve) => waiters.push(resolve)),
  };
}
