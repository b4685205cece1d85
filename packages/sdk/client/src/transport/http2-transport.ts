/**
 * @module The transport that speaks gRPC over Node's own HTTP/2, one connection per endpoint. It does what the one on
 * `@grpc/grpc-js` does with less between a call and the socket; see docs/adr/0009.
 */
import { GrpcStatus } from "@conclave/protocol";
import { onAbort } from "../on-abort.ts";
import { parseEndpoint } from "./endpoint.ts";
import { Http2Call } from "./http2-call.ts";
import { Http2Connection, tlsContext } from "./http2-connection.ts";
import { LateStream } from "./late-stream.ts";
import { openTls } from "./tls-options.ts";
import {
  type ClientStream,
  type ClientTransport,
  type StreamCall,
  type StreamSink,
  TransportError,
  type UnaryCall,
  unsent,
} from "./transport.ts";
import { type GrpcTransportOptions, transportSettings } from "./transport-options.ts";

/**
 * Makes the transport. Connections are made on first use, and made anew by the next call after they broke.
 *
 * @throws ConclaveError `INVALID_ARGUMENT` if an option is wrong, or a certificate cannot be read or makes no sense
 */
export function createHttp2Transport(options: GrpcTransportOptions = {}): ClientTransport {
  const settings = transportSettings(options);
  const tls = openTls(settings.tls, tlsContext);
  const connections = new Map<string, Http2Connection>();
  let isClosed = false;
  const connectionTo = (text: string): Http2Connection => {
    const known = connections.get(text);
    const endpoint = parseEndpoint(text);
    const security = endpoint.tls ? tls.current() : undefined;
    if (known?.takesCalls && known.security === security) return known;
    // Certificates were replaced: calls that are under way end on the connection that they began on.
    known?.retire();
    const connection = new Http2Connection({ endpoint, security, settings });
    connections.set(text, connection);
    return connection;
  };
  return {
    unary(call) {
      if (call.signal.aborted) return Promise.reject(unsent(GrpcStatus.Canceled, "canceled before it was sent"));
      if (isClosed) return Promise.reject(transportClosed());
      return unary(connectionTo(call.endpoint), call);
    },
    stream(call, sink) {
      if (isClosed) return new LateStream(Promise.reject(transportClosed()), sink);
      return openStream(connectionTo(call.endpoint), call, sink);
    },
    close() {
      isClosed = true;
      for (const connection of connections.values()) connection.destroy("the transport is closed");
      connections.clear();
    },
  };
}

function transportClosed(): TransportError {
  return unsent(GrpcStatus.Unavailable, "the transport is closed");
}

function unary(connection: Http2Connection, call: UnaryCall): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let running: Http2Call | undefined;
    let response: Uint8Array | undefined;
    const fail = (error: unknown) => {
      unlisten();
      reject(error);
    };
    const onMessage = (message: Uint8Array) => {
      if (response === undefined) response = message;
      else {
        running?.cancel();
        fail(new TransportError(GrpcStatus.Internal, "more than one response"));
      }
    };
    const onEnd = (error: TransportError | undefined) => {
      if (error !== undefined || response === undefined)
        fail(error ?? new TransportError(GrpcStatus.Internal, "no response"));
      else {
        unlisten();
        resolve(response);
      }
    };
    const start = () => {
      running = new Http2Call(connection, call, { onMessage, onEnd });
      running.writeLast(call.request);
    };
    const unlisten = onAbort(call.signal, () => {
      if (running === undefined) connection.endCall();
      running?.cancel();
      reject(new TransportError(GrpcStatus.Canceled, "canceled", { sent: running !== undefined }));
    });
    onceUp(connection, { isWanted: () => !call.signal.aborted, start, fail });
  });
}

/** What is to be done over a connection. */
interface Wanted {
  /** Whether it still is. */
  isWanted(): boolean;
  /** Begins the call, whose end is told to the connection from then on. */
  start(): void;
  /** Takes why it could not be begun. */
  fail(error: unknown): void;
}

/** Begins a call at once if the connection is up, else when it is. */
function onceUp(connection: Http2Connection, { isWanted, start, fail }: Wanted): void {
  const giveUp = (error: unknown) => {
    connection.endCall();
    fail(error);
  };
  const begin = () => {
    try {
      // It may have ended since it came up.
      if (connection.isUp) start();
      else giveUp(unsent(GrpcStatus.Unavailable, connection.failure.message));
    } catch (error) {
      // Metadata held what no header may.
      giveUp(error);
    }
  };
  connection.beginCall();
  if (connection.isUp) begin();
  else
    connection.up.then(
      () => isWanted() && begin(),
      (error: unknown) => isWanted() && giveUp(error),
    );
}

function openStream(connection: Http2Connection, call: StreamCall, sink: StreamSink): ClientStream {
  const patient = { ...call, timeoutMs: Number.POSITIVE_INFINITY };
  let opened: Http2Call | undefined;
  const opening = new Promise<ClientStream>((resolve, reject) => {
    const start = () => {
      opened = new Http2Call(connection, patient, sink);
      resolve(opened);
    };
    onceUp(connection, { isWanted: () => true, start, fail: reject });
  });
  return opened ?? new LateStream(opening, sink);
}
