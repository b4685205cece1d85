/**
 * @module Calls in a user's name. The token is fetched when it is first needed, by one login however many calls wait
 * for it, and again when a member no longer knows it: members forget tokens that nobody uses, and all of them when they
 * start anew.
 */
import { asBuffer } from "@conclave/base";
import { GrpcStatus, wireErrors } from "@conclave/protocol";
import { AuthenticateRequest, AuthenticateResponse, WatchResponse } from "@conclave/protocol/etcdserverpb";
import { ConclaveError } from "../conclave-error.ts";
import { type EndSignal, onAbort } from "../on-abort.ts";
import { LateStream } from "./late-stream.ts";
import {
  type CallMetadata,
  type ClientStream,
  type ClientTransport,
  type StreamCall,
  type StreamSink,
  TransportError,
  type UnaryCall,
} from "./transport.ts";

/** Who the client is. */
export interface Credentials {
  /** The user's name; not empty. */
  readonly username: string;
  /** The user's password. */
  readonly password: string;
}

const authenticatePath = "/etcdserverpb.Auth/Authenticate";
const watchPath = "/etcdserverpb.Watch/Watch";
const loginTimeoutMs = 10_000;
/** What a member says of a token that has to be fetched anew, or of none where one is needed by now. */
const outdated: readonly string[] = ["InvalidAuthToken", "AuthOldRevision", "UserEmpty"].map(
  (name) => wireErrors[name as "InvalidAuthToken"].text,
);
/** A response that is longer than this is no refusal of a watch. */
const refusalBytesMax = 256;

/**
 * Refuses credentials of another form, without showing them.
 *
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function checkCredentials(credentials: Credentials | undefined): void {
  if (credentials === undefined) return;
  const { username, password } = credentials;
  if (typeof username === "string" && username !== "" && typeof password === "string") return;
  throw new ConclaveError(
    "INVALID_ARGUMENT",
    "Invalid options of a client: credentials: expected username and password",
  );
}

/**
 * A transport whose calls are made in a user's name.
 *
 * @param token - one that was fetched before, empty where members asked for none; default: it is fetched when needed
 */
export function withCredentials(transport: ClientTransport, credentials: Credentials, token?: string): ClientTransport {
  const tokens = new Tokens(transport, credentials, token);
  return {
    unary: (call) => (call.path === authenticatePath ? transport.unary(call) : unary(transport, tokens, call)),
    stream: (call, sink) => openStream(transport, tokens, { call, sink }),
    close: () => transport.close(),
  };
}

/** The token that is in use, and the login under way. */
class Tokens {
  readonly #transport: ClientTransport;
  readonly #credentials: Credentials;
  #current: { readonly token: string } | undefined;
  #login: Promise<string> | undefined;

  constructor(transport: ClientTransport, credentials: Credentials, token: string | undefined) {
    this.#transport = transport;
    this.#credentials = credentials;
    this.#current = token === undefined ? undefined : { token };
  }

  /** The token, if it need not be fetched; empty where members ask for none. */
  get known(): string | undefined {
    return this.#current?.token;
  }

  /** The token, fetched from a member if there is none. */
  fetch(endpoint: string): Promise<string> {
    if (this.#current !== undefined) return Promise.resolve(this.#current.token);
    this.#login ??= this.#logIn(endpoint).finally(() => {
      this.#login = undefined;
    });
    return this.#login;
  }

  /** Takes note that a token is no good any more; another may have been fetched meanwhile. */
  drop(token: string): void {
    if (this.#current?.token === token) this.#current = undefined;
  }

  async #logIn(endpoint: string): Promise<string> {
    const { username: name, password } = this.#credentials;
    const request = AuthenticateRequest.encode({ name, password }).finish();
    const signal = new AbortController().signal;
    const call = { endpoint, path: authenticatePath, request, metadata: {}, timeoutMs: loginTimeoutMs, signal };
    const token = await this.#transport.unary(call).then(
      (response) => AuthenticateResponse.decode(response).token,
      (error: unknown) => {
        if (error instanceof TransportError && error.message === wireErrors.AuthNotEnabled.text) return "";
        throw asUnsent(error);
      },
    );
    this.#current = { token };
    return token;
  }
}

/** The call that waited for the login has not left. */
function asUnsent(error: unknown): unknown {
  if (!(error instanceof TransportError)) return error;
  return new TransportError(error.status, error.message, { sent: false, cause: error });
}

async function unary(transport: ClientTransport, tokens: Tokens, call: UnaryCall): Promise<Uint8Array> {
  const token = await unlessAborted(tokens.fetch(call.endpoint), call.signal);
  try {
    return await transport.unary(withToken(call, token));
  } catch (error) {
    if (!isOutdated(error)) throw error;
    // A member that says this has done nothing.
    tokens.drop(token);
    return transport.unary(withToken(call, await unlessAborted(tokens.fetch(call.endpoint), call.signal)));
  }
}

/** Calls carry one of a few records, and so with a token: transports prepare a record once. */
const tokenRecords = new WeakMap<CallMetadata, CallMetadata>();

function withToken<Call extends StreamCall>(call: Call, token: string): Call {
  if (token === "") return call;
  const known = tokenRecords.get(call.metadata);
  if (known?.token === token) return { ...call, metadata: known };
  const metadata = { ...call.metadata, token };
  tokenRecords.set(call.metadata, metadata);
  return { ...call, metadata };
}

function isOutdated(error: unknown): error is TransportError {
  return error instanceof TransportError && outdated.includes(error.message);
}

function unlessAborted<R>(waiting: Promise<R>, signal: AbortSignal | EndSignal): Promise<R> {
  return new Promise((resolve, reject) => {
    const unlisten = onAbort(signal, () =>
      reject(new TransportError(GrpcStatus.Canceled, "canceled before it was sent", { sent: false })),
    );
    waiting.finally(unlisten).then(resolve, reject);
  });
}

interface StreamRequest {
  readonly call: StreamCall;
  readonly sink: StreamSink;
}

function openStream(transport: ClientTransport, tokens: Tokens, { call, sink }: StreamRequest): ClientStream {
  const open = (token: string): ClientStream => {
    const guarded = guardedSink({ call, sink }, () => {
      tokens.drop(token);
      stream.cancel();
    });
    const stream = transport.stream(withToken(call, token), guarded);
    return stream;
  };
  const { known } = tokens;
  return known === undefined ? new LateStream(tokens.fetch(call.endpoint).then(open), sink) : open(known);
}

/** A sink that notices when the token of its stream is no good: the stream then ends, to be opened anew with another. */
function guardedSink({ call, sink }: StreamRequest, onOutdated: () => void): StreamSink {
  return {
    onMessage(message) {
      const refusal = call.path === watchPath ? outdatedWatch(message) : undefined;
      if (refusal === undefined) {
        sink.onMessage(message);
        return;
      }
      onOutdated();
      sink.onEnd(new TransportError(GrpcStatus.Unavailable, refusal));
    },
    onEnd(error) {
      if (!isOutdated(error)) {
        sink.onEnd(error);
        return;
      }
      onOutdated();
      sink.onEnd(new TransportError(GrpcStatus.Unavailable, error.message, { cause: error }));
    },
  };
}

/** What a member says of the token that a watch was created with, if it refuses the watch for it. */
function outdatedWatch(message: Uint8Array): string | undefined {
  if (message.length > refusalBytesMax) return undefined;
  const text = outdated.find((candidate) => asBuffer(message).includes(candidate));
  if (text === undefined) return undefined;
  const { canceled, cancelReason } = WatchResponse.decode(message);
  return canceled && cancelReason.endsWith(text) ? text : undefined;
}
