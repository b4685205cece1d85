/** @module The default transport: gRPC over HTTP/2 by `@grpc/grpc-js`, one channel per endpoint. */
import { asBuffer, timerMsMax } from "@conclave/base";
import { GrpcStatus } from "@conclave/protocol";
import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { onAbort } from "../on-abort.ts";
import { ChannelLifetime } from "./channel-lifetime.ts";
import { type Endpoint, parseEndpoint } from "./endpoint.ts";
import { ConnectionTracker, overseeConnection } from "./grpc-connection.ts";
import { channelCredentials, openTls } from "./tls-options.ts";
import {
  type CallMetadata,
  type ClientStream,
  type ClientTransport,
  type StreamCall,
  type StreamSink,
  type TransportError,
  type UnaryCall,
  unsent,
} from "./transport.ts";
import { type GrpcTransportOptions, transportSettings } from "./transport-options.ts";

const channelOptions: ChannelOptions = {
  // Ranges and watch batches are as large as the data; the server's limits are the ones that count.
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  // etcd ends connections that ping without a call.
  "grpc.keepalive_permit_without_calls": 0,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  // A client's connections are its own, so that closing it closes them.
  "grpc.use_local_subchannel_pool": 1,
  // No TXT look-ups: a member has no service config.
  "grpc.service_config_disable_resolution": 1,
  // Nobody looks at the counters that it would keep of every call.
  "grpc.enable_channelz": 0,
};

/** What leads to one member. */
interface Connection {
  readonly client: Client;
  /** What it was made with; undefined if it is not encrypted. */
  readonly credentials: ChannelCredentials | undefined;
  readonly tracker: ConnectionTracker;
  readonly lifetime: ChannelLifetime;
  readonly connectTimeoutMs: number;
}

/**
 * Makes the transport that speaks gRPC. Connections are made on first use.
 *
 * @throws ConclaveError `INVALID_ARGUMENT` if an option is wrong, or a certificate cannot be read or makes no sense
 */
export function createGrpcTransport(options: GrpcTransportOptions = {}): ClientTransport {
  const { tls, connectTimeoutMs, keepaliveTimeMs, keepaliveTimeoutMs } = transportSettings(options);
  const tlsCredentials = openTls(tls, channelCredentials);
  const pings = { "grpc.keepalive_time_ms": keepaliveTimeMs, "grpc.keepalive_timeout_ms": keepaliveTimeoutMs };
  const connections = new Map<string, Connection>();
  let closed = false;
  const connectionTo = (text: string): Connection => {
    const endpoint = parseEndpoint(text);
    const security = endpoint.tls ? tlsCredentials.current() : undefined;
    const known = connections.get(text);
    if (known !== undefined && known.credentials === security) return known;
    // Certificates were replaced: calls that are under way end on the connection that they began on.
    known?.lifetime.retire();
    const client = createChannel(endpoint, { security, serverName: tls.serverName, pings });
    const tracker = new ConnectionTracker(client.getChannel());
    const lifetime = new ChannelLifetime(() => client.close());
    const connection = { client, credentials: security, tracker, lifetime, connectTimeoutMs };
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

interface ChannelSettings {
  /** Undefined: plaintext. */
  readonly security: ChannelCredentials | undefined;
  readonly serverName: string | undefined;
  readonly pings: ChannelOptions;
}

function createChannel({ target }: Endpoint, { security, serverName, pings }: ChannelSettings): Client {
  const name = security === undefined ? undefined : serverName;
  return new Client(target, security ?? credentials.createInsecure(), {
    ...channelOptions,
    ...pings,
    ...(name === undefined ? {} : { "grpc.ssl_target_name_override": name, "grpc.default_authority": name }),
  });
}

/**
 * Makes a call on the channel itself: what a `Client` puts around it, for interceptors of its own and for a stack trace of
 * every caller, takes a third of the time of a call.
 */
function unary({ client, tracker, lifetime, connectTimeoutMs }: Connection, call: UnaryCall): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const release = lifetime.use();
    const cancel = () => running.cancelWithStatus(GrpcStatus.Canceled, "canceled");
    const connection = overseeConnection(tracker, { timeoutMs: connectTimeoutMs, cancel });
    // What is too long for a timer is too long for the header that tells the member; the caller's own clock runs.
    const deadline = call.timeoutMs > timerMsMax ? Number.POSITIVE_INFINITY : Date.now() + call.timeoutMs;
    const running = client.getChannel().createCall(call.path, deadline, null, null, null);
    let response: Buffer | undefined;
    running.start(toMetadata(call.metadata), {
      onReceiveMetadata() {},
      onReceiveMessage(message: Buffer) {
        response = message;
      },
      onReceiveStatus(status) {
        unlisten();
        connection.stop();
        release();
        if (status.code !== GrpcStatus.Ok) reject(connection.errorOf(status));
        else if (response === undefined) reject(connection.errorOf(null));
        else resolve(plainBytes(response));
      },
    });
    running.sendMessageWithContext({}, asBuffer(call.request));
    running.startRead();
    running.halfClose();
    const unlisten = onAbort(call.signal, cancel);
  });
}

function openStream(
  { client, tracker, lifetime, connectTimeoutMs }: Connection,
  call: StreamCall,
  sink: StreamSink,
): ClientStream {
  const release = lifetime.use();
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
    release();
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
      release();
    },
    pause: () => stream.pause(),
    resume: () => stream.resume(),
  };
}

/** A Uint8Array over the same memory: no caller should meet a Buffer, whose `slice` and `toString` differ. */
function plainBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** Calls carry one of a few records, and grpc-js copies what it is given. */
const metadataOf = new WeakMap<CallMetadata, Metadata>();

function toMetadata(entries: CallMetadata): Metadata {
  const known = metadataOf.get(entries);
  if (known !== undefined) return known;
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(entries)) metadata.set(name, value);
  metadataOf.set(entries, metadata);
  return metadata;
}
