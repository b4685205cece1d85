/** @module The client: one set of connections, and views of the store through it. */
import type { Clock, Random, Scheduler } from "@conclave/base";
import { concatBytes, emptyBytes } from "@conclave/base";
import * as z from "zod";
import type { CallOptions } from "./call-scope.ts";
import { type Cluster, createCluster } from "./cluster.ts";
import { parseEndpoint } from "./endpoint.ts";
import { EndpointPool } from "./endpoint-pool.ts";
import { createGrpcTransport, type TlsOptions } from "./grpc-transport.ts";
import { type HandlerErrorSink, warnOfHandlerError } from "./isolated-emitter.ts";
import { KeepAliveLoop } from "./keep-alive-loop.ts";
import { type BytesInput, type RangeInput, toBytes } from "./key-range.ts";
import { createKeyspace, type Keyspace } from "./keyspace.ts";
import { createKv, type Kv } from "./kv.ts";
import { createKvCalls } from "./kv-calls.ts";
import { createLeases, type Leases } from "./lease.ts";
import { createMaintenance, type Maintenance } from "./maintenance.ts";
import { createRawServices, type RawServices } from "./raw.ts";
import { RevisionFloor } from "./revision-floor.ts";
import { openSession, type Session, type SessionOptions } from "./session.ts";
import { type SharedSession, type SharedSessionOptions, SharedSessions } from "./shared-session.ts";
import { createSystemClock, systemRandom, systemScheduler } from "./system-ports.ts";
import type { ClientTransport } from "./transport.ts";
import type { CallPorts } from "./unary-run.ts";
import { bytesInput, callFields, durationMs, validate } from "./validate.ts";
import { WatchMux } from "./watch-mux.ts";
import type { Watcher, WatchOptions } from "./watch-options.ts";
import { createWatcher } from "./watcher.ts";

/** How to make a client. */
export interface ClientOptions {
  /**
   * The members, at least one: `host:port`, `http://host:port`, `https://host:port` or `unix:/path`.
   * Default: `127.0.0.1:2379`.
   */
  readonly endpoints?: readonly string[] | string | undefined;
  /** How long a call that does not say may take with all its tries, in milliseconds. Default: 10 000. */
  readonly timeoutMs?: number | undefined;
  /** What every key starts with in the store; the client shows keys without it. Default: nothing. */
  readonly namespace?: BytesInput | undefined;
  /** How `https` connections are encrypted. Default: as Node does. */
  readonly tls?: TlsOptions | undefined;
  /**
   * How long the stream of the watches may be silent before the member is asked for a sign of life, in
   * milliseconds; as long again, and another member is asked. Default: 15 000.
   */
  readonly stallMs?: number | undefined;
  /** Takes what event handlers throw. Default: a warning of the process. */
  readonly onHandlerError?: HandlerErrorSink | undefined;
  /** Moves the bytes. Default: gRPC over HTTP/2. */
  readonly transport?: ClientTransport | undefined;
  /** Tells the time. Default: the machine's clock, which counts while it is suspended. */
  readonly clock?: Clock | undefined;
  /** Draws delays and lease ids. Default: the operating system's. */
  readonly random?: Random | undefined;
  /** Runs timers. Default: Node's. */
  readonly scheduler?: Scheduler | undefined;
}

/** What a client can do with the keys it sees: all, or those of a namespace. */
export interface ClientView extends Kv {
  /** Leases. */
  readonly lease: Leases;
  /** Tells what happens to a key or range. The watch starts at once. */
  watch(range: RangeInput, options?: WatchOptions): Watcher;
  /** Grants a lease and keeps it alive. */
  session(options?: SessionOptions): Promise<Session>;
  /** A share of a session that many users of this client have in common, and that is renewed after a loss. */
  sharedSession(options?: SharedSessionOptions): SharedSession;
  /** A view of the keys that start with this, shown without it. */
  namespace(prefix: BytesInput): ClientView;
  /** What the keys of this view start with in the store. */
  readonly prefix: Uint8Array;
  /** The time, timers and randomness that the client runs on; recipes use the same. */
  readonly ports: { readonly clock: Clock; readonly random: Random; readonly scheduler: Scheduler };
}

/** A client of a cluster. */
export interface Client extends ClientView, AsyncDisposable {
  /** The members of the cluster. */
  readonly cluster: Cluster;
  /** Looking after members. */
  readonly maintenance: Maintenance;
  /** Every method of the protocol, as the protocol has it. */
  readonly raw: RawServices;
  /** The addresses the client was given. */
  readonly endpoints: readonly string[];
  /** Revokes the leases of its sessions, ends its watches, fails its calls and lets go of its connections. */
  close(options?: CallOptions): Promise<void>;
}

const port = z.looseObject({});
const clientSchema = z.strictObject({
  endpoints: z.union([z.string(), z.array(z.string()).min(1)]).optional(),
  timeoutMs: durationMs.optional(),
  namespace: bytesInput.optional(),
  tls: z
    .strictObject({
      ca: z.instanceof(Uint8Array).optional(),
      cert: z.instanceof(Uint8Array).optional(),
      key: z.instanceof(Uint8Array).optional(),
      serverName: z.string().optional(),
    })
    .optional(),
  stallMs: z.number().min(1).optional(),
  onHandlerError: z.custom((value) => typeof value === "function", "expected a function").optional(),
  transport: port.optional(),
  clock: port.optional(),
  random: port.optional(),
  scheduler: port.optional(),
});
const timeoutMsDefault = 10_000;
const stallMsDefault = 15_000;
/** How long closing waits for leases to be revoked; they end by themselves. */
const closeTimeoutMs = 2_000;

/**
 * Makes a client that connects when it is first used.
 *
 * @throws ConclaveError `INVALID_ARGUMENT` if an option is wrong
 */
export function createClient(options: ClientOptions = {}): Client {
  validate(clientSchema, options, "options of a client");
  return createEtcdClient(options);
}

/**
 * Makes a client and asks a member for its status, so that a wrong address shows now.
 *
 * @throws ConclaveError `UNAVAILABLE` or `TIMEOUT` if no member answers
 */
export async function connect(options: ClientOptions & CallOptions = {}): Promise<Client> {
  const { signal, ...rest } = options;
  validate(z.strictObject({ signal: callFields.signal }), { signal }, "options of a connection");
  const client = createClient(rest);
  try {
    await client.maintenance.status({ signal });
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}

/** What all views of one client share. */
interface Shared {
  readonly ports: CallPorts;
  readonly floor: RevisionFloor;
  readonly mux: WatchMux;
  readonly openSession: (options?: SessionOptions) => Promise<Session>;
  readonly sharedSessions: SharedSessions;
  readonly onHandlerError: HandlerErrorSink;
}

function createView(shared: Shared, space: Keyspace): ClientView {
  const { ports, floor } = shared;
  const kv = createKv(createKvCalls(ports, floor), space);
  return {
    ...kv,
    lease: createLeases(ports, space),
    watch: (range, options) => createWatcher({ ...shared, kv, space }, range, options),
    session: shared.openSession,
    sharedSession: (options) => shared.sharedSessions.share(options),
    namespace(prefix) {
      validate(bytesInput, prefix, "prefix of a namespace");
      return createView(shared, createKeyspace(concatBytes([space.prefix, toBytes(prefix)])));
    },
    prefix: space.prefix,
    ports: { clock: ports.clock, random: ports.random, scheduler: ports.scheduler },
  };
}

function createEtcdClient(options: ClientOptions): Client {
  const closed = new AbortController();
  const ports = createPorts(options, closed.signal);
  const onHandlerError = options.onHandlerError ?? warnOfHandlerError;
  const loop = new KeepAliveLoop(ports);
  const made = { ports, loop, onHandlerError, leases: createLeases(ports, createKeyspace(emptyBytes)) };
  const sessions = new Set<Session>();
  const shared: Shared = {
    ports,
    onHandlerError,
    floor: new RevisionFloor(),
    mux: new WatchMux(ports, { stallMs: options.stallMs ?? stallMsDefault }),
    sharedSessions: new SharedSessions(made),
    async openSession(sessionOptions) {
      const session = await openSession(made, sessionOptions);
      sessions.add(session);
      void session.ended.then(() => sessions.delete(session));
      return session;
    },
  };
  const raw = createRawServices(ports);
  const close = async (closeOptions: CallOptions = {}) => {
    if (closed.signal.aborted) return;
    const patience = { timeoutMs: closeTimeoutMs, ...closeOptions };
    // A lease that cannot be revoked now ends by itself; there is nobody left to tell.
    await Promise.allSettled(
      [...sessions].map((session) => session.close(patience)).concat(shared.sharedSessions.close(patience)),
    );
    closed.abort();
    loop.close();
    ports.transport.close();
  };
  return {
    ...createView(shared, createKeyspace(toBytes(options.namespace ?? emptyBytes))),
    cluster: createCluster(raw),
    maintenance: createMaintenance(raw),
    raw,
    endpoints: ports.pool.all,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function createPorts(options: ClientOptions, closed: AbortSignal): CallPorts {
  const endpoints = [options.endpoints ?? "127.0.0.1:2379"].flat();
  for (const endpoint of endpoints) parseEndpoint(endpoint);
  const clock = options.clock ?? createSystemClock();
  const random = options.random ?? systemRandom;
  return {
    clock,
    random,
    scheduler: options.scheduler ?? systemScheduler,
    transport: options.transport ?? createGrpcTransport({ tls: options.tls }),
    pool: new EndpointPool([...new Set(endpoints)], { clock, random }),
    closed,
    timeoutMs: options.timeoutMs ?? timeoutMsDefault,
    metadata: {},
  };
}
