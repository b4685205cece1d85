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
import { ConnectionTracker, overseeConnection, unsent } from "./grpc-connection.ts";
import { onAbort } from "./on-abort.ts";
import type {
  CallMetadata,
  ClientStream,
  ClientTransport,
  StreamCall,
  StreamSink,
  TransportError,
  UnaryCall,
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

/** What leads to one member. */
interface Connection {
  readonly client: Client;
  readonly tracker: ConnectionTracker;
  readonly connectTimeoutMs: number;
}

/** Makes the transport that speaks gRPC. Connections are made on first use. */
export function createGrpcTransport(options: GrpcTransportOptions = {}): ClientTransport {
  const { tls = {}, connectTimeoutMs = connectTimeoutMsDefault } = options;
  const connections = new Map<string, Connection>();
  let closed = false;
  const connectionTo = (text: string): Connection => {
    const known = connections.get(text);
    if (known !== undefined) return known;
    const client = createChannel(parseEndpoint(text), tls);
    const connection = { client, tracker: new ConnectionTracker(client.getChannel()), connectTimeoutMs };
    connections.set(text, connection);
    return connection;
  };
  return {
    async unary(call) {
      if (call.signal.aborted) throw unsent(GrpcStatus.Canceled, "canceled before it was sent");
      if (closed) throw transportClosed();
      return await unary(connectionTo(call.endpoint), call);
    },
    stream(call, sink) {
      if (!closed) return openStream(connectionTo(call.endpoint), call, sink);
      queueMicrotask(() => sink.onEnd(transportClosed()));
      return deadStream;
    },
    close() {
      closed = true;
      for (const { client } of connections.values()) client.close();
      connections.clear();
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

function createChannel(endpoint: Endpoint, tls: TlsOptions): Client {
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

function unary({ client, tracker, connectTimeoutMs }: Connection, call: UnaryCall): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const cancel = () => running.cancel();
    const connection = overseeConnection(tracker, { timeoutMs: connectTimeoutMs, cancel });
    const running = client.makeUnaryRequest(
      call.path,
      asBuffer,
      plainBytes,
      call.request,
      toMetadata(call.metadata),
      Number.isFinite(call.timeoutMs) ? { deadline: Date.now() + call.timeoutMs } : {},
      (error, response) => {
        unlisten();
        connection.stop();
        if (error !== null || response === undefined) reject(connection.errorOf(error));
        else resolve(response);
      },
    );
    const unlisten = onAbort(call.signal, cancel);
  });
}

function openStream(
  { client, tracker, connectTimeoutMs }: Connection,
  call: StreamCall,
  sink: StreamSink,
): ClientStream {
  const cancel = () => stream.cancel();
  const connection = overseeConnection(tracker, { timeoutMs: connectTimeoutMs, cancel });
  const stream: ClientDuplexStream<Uint8Array, Uint8Array> = client.makeBidiStreamRequest(
    call.path,
    asBuffer,
    plainBytes,
    toMetadata(call.metadata),
  );
  let over = false;
  const finish = (error: TransportError | undefined) => {
    connection.stop();
    if (over) return;
    over = true;
    sink.onEnd(error);
  };
  stream.on("data", (message: Uint8Array) => {
    if (!over) sink.onMessage(message);
  });
  stream.on("error", (error: ServiceError) => finish(connection.errorOf(error)));
  stream.on("end", () => finish(undefined));
  return {
    write(message) {
      if (!over) stream.write(message);
    },
    halfClose: () => stream.end(),
    cancel() {
      over = true;
      connection.stop();
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
