/** @module The default transport: gRPC over HTTP/2 by `@grpc/grpc-js`, one channel per endpoint. */
import { asBuffer } from "@conclave/base";
import { GrpcStatus } from "@conclave/protocol";
import {
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { type Endpoint, parseEndpoint } from "./endpoint.ts";
import { connectionAttempted, isConnecting, unsent } from "./grpc-connection.ts";
import { onAbort } from "./on-abort.ts";
import {
  type CallMetadata,
  type ClientStream,
  type ClientTransport,
  type StreamCall,
  type StreamSink,
  TransportError,
  type UnaryCall,
} from "./transport.ts";

/** How connections are encrypted. */
export interface TlsOptions {
  /** Certificates of the authorities to trust, PEM. Default: those Node trusts. */
  readonly ca?: Uint8Array | undefined;
  /** The client's certificate chain, PEM, for members that ask for one. Default: none. */
  readonly cert?: Uint8Array | undefined;
  /** The private key of `cert`, PEM. */
  readonly key?: Uint8Array | undefined;
  /** The name to look for in the member's certificate; default: the host of the endpoint. */
  readonly serverName?: string | undefined;
}

const channelOptions: ChannelOptions = {
  // Ranges and watch batches are as large as the data; the server's limits are the ones that count.
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  // etcd ends connections that ping more often than every 5 s or without a call.
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.keepalive_permit_without_calls": 0,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  // A client's connections are its own, so that closing it closes them.
  "grpc.use_local_subchannel_pool": 1,
  // No TXT look-ups: a member has no service config.
  "grpc.service_config_disable_resolution": 1,
};

/** How to speak gRPC. */
export interface GrpcTransportOptions {
  /** How `https` connections are encrypted. Default: as Node does. */
  readonly tls?: TlsOptions | undefined;
  /**
   * How long a call or stream waits for a connection, in milliseconds; then it fails as provably unsent, so that
   * another member can be asked. Default: 3 000.
   */
  readonly connectTimeoutMs?: number | undefined;
}

const connectTimeoutMsDefault = 3_000;

/** Makes the transport that speaks gRPC. Connections are made on first use. */
export function createGrpcTransport(options: GrpcTransportOptions = {}): ClientTransport {
  const { tls = {}, connectTimeoutMs = connectTimeoutMsDefault } = options;
  const clients = new Map<string, Client>();
  let closed = false;
  const clientOf = (text: string): Client => {
    const known = clients.get(text);
    if (known !== undefined) return known;
    const client = connectTo(parseEndpoint(text), tls);
    clients.set(text, client);
    return client;
  };
  return {
    async unary(call) {
      if (call.signal.aborted) throw unsent(GrpcStatus.Canceled, "canceled before it was sent");
      if (closed) throw transportClosed();
      const client = clientOf(call.endpoint);
      const channel = client.getChannel();
      if (isConnecting(channel)) {
        await connectionAttempted(channel, { signal: call.signal, timeoutMs: connectTimeoutMs });
        if (closed) throw transportClosed();
      }
      return await unary(client, call);
    },
    stream(call, sink) {
      if (!closed) return openStream(clientOf(call.endpoint), call, { sink, connectTimeoutMs });
      queueMicrotask(() => sink.onEnd(transportClosed()));
      return deadStream;
    },
    close() {
      closed = true;
      for (const client of clients.values()) client.close();
      clients.clear();
    },
  };
}

const transportClosed = () => unsent(GrpcStatus.Unavailable, "the transport is closed");

const deadStream: ClientStream = {
  write() {},
  halfClose() {},
  cancel() {},
  pause() {},
  resume() {},
};

function connectTo(endpoint: Endpoint, tls: TlsOptions): Client {
  const security = endpoint.tls
    ? credentials.createSsl(optionalBuffer(tls.ca), optionalBuffer(tls.key), optionalBuffer(tls.cert))
    : credentials.createInsecure();
  const name = endpoint.tls ? tls.serverName : undefined;
  return new Client(endpoint.target, security, {
    ...channelOptions,
    ...(name === undefined ? {} : { "grpc.ssl_target_name_override": name, "grpc.default_authority": name }),
  });
}

function optionalBuffer(bytes: Uint8Array | undefined): Buffer | null {
  return bytes === undefined ? null : asBuffer(bytes);
}

function unary(client: Client, call: UnaryCall): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const running = client.makeUnaryRequest(
      call.path,
      asBuffer,
      plainBytes,
      call.request,
      toMetadata(call.metadata),
      Number.isFinite(call.timeoutMs) ? { deadline: Date.now() + call.timeoutMs } : {},
      (error, response) => {
        unlisten();
        if (error !== null || response === undefined) reject(toTransportError(error));
        else resolve(response);
      },
    );
    const unlisten = onAbort(call.signal, () => running.cancel());
  });
}

function openStream(
  client: Client,
  call: StreamCall,
  { sink, connectTimeoutMs }: { readonly sink: StreamSink; readonly connectTimeoutMs: number },
): ClientStream {
  const stream: ClientDuplexStream<Uint8Array, Uint8Array> = client.makeBidiStreamRequest(
    call.path,
    asBuffer,
    plainBytes,
    toMetadata(call.metadata),
  );
  let over = false;
  const finish = (error: TransportError | undefined) => {
    clearTimeout(connectTimer);
    if (over) return;
    over = true;
    sink.onEnd(error);
  };
  const connectTimer = setTimeout(() => {
    if (!isConnecting(client.getChannel())) return;
    finish(unsent(GrpcStatus.Unavailable, `no connection within ${connectTimeoutMs} ms`));
    stream.cancel();
  }, connectTimeoutMs);
  stream.on("data", (message: Uint8Array) => {
    if (!over) sink.onMessage(message);
  });
  stream.on("error", (error: ServiceError) => finish(toTransportError(error)));
  stream.on("end", () => finish(undefined));
  return {
    write(message) {
      if (!over) stream.write(message);
    },
    halfClose: () => stream.end(),
    cancel() {
      over = true;
      clearTimeout(connectTimer);
      stream.cancel();
      // What was paused would keep the end of the stream, and with it the call, in its buffer.
      stream.resume();
    },
    pause: () => stream.pause(),
    resume: () => stream.resume(),
  };
}

/** A Uint8Array over the same memory: no caller should meet a Buffer, whose `slice` and `toString` differ. */
function plainBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

function toMetadata(entries: CallMetadata): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(entries)) metadata.set(name, value);
  return metadata;
}

function toTransportError(error: ServiceError | null): TransportError {
  if (error === null) return new TransportError(GrpcStatus.Internal, "no response");
  const status = error.code as number as GrpcStatus;
  // What a channel says that has failed to connect, and only then.
  const refused = status === GrpcStatus.Unavailable && error.details.startsWith("No connection established");
  return new TransportError(status, error.details, { cause: error, sent: !refused });
}
