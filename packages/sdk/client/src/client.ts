/** @module The client: one set of connections, and views of the store through it. */
import type { Clock, Random, Scheduler } from "@conclave/base";
import { concatBytes, emptyBytes, systemScheduler } from "@conclave/base";
import * as z from "zod";
import { type Auth, createAuth } from "./admin/auth.ts";
import { type Cluster, createCluster } from "./admin/cluster.ts";
import { createMaintenance, type Maintenance } from "./admin/maintenance.ts";
import { syncEndpoints, syncRegularly } from "./admin/member-sync.ts";
import type { CallOptions } from "./calls/call-scope.ts";
import { defaultLimits, type RequestLimits } from "./calls/limits.ts";
import { createRawServices, type RawServices } from "./calls/raw.ts";
import type { CallPorts } from "./calls/unary-run.ts";
import type { Codec } from "./codec.ts";
import { type EventSource, type HandlerErrorSink, warnOfHandlerError } from "./isolated-emitter.ts";
import { createTypedKeyspace, type KeyspaceOptions, type TypedKeyspace } from "./keyspace/typed-keyspace.ts";
import { Idempotency, idempotencyTtlSecDefault } from "./kv/idempotency.ts";
import { type BytesInput, type RangeInput, toBytes } from "./kv/key-range.ts";
import { createKeyspace, type Keyspace } from "./kv/keyspace.ts";
import { createKv, type Kv } from "./kv/kv.ts";
import { createKvCalls } from "./kv/kv-calls.ts";
import { RevisionFloor } from "./kv/revision-floor.ts";
import { KeepAliveLoop } from "./lease/keep-alive-loop.ts";
import { createLeases, type Leases } from "./lease/lease.ts";
import { openSession, type Session, type SessionOptions } from "./lease/session.ts";
import { type SharedSession, type SharedSessionOptions, SharedSessions } from "./lease/shared-session.ts";
import { createMirror, type Mirror } from "./mirror/mirror.ts";
import { type ClientEvents, type ClientStatus, StatusHub } from "./observe/client-status.ts";
import { WorkerRenewer } from "./renewer/worker-renewer.ts";
import { createSystemClock, systemRandom } from "./system-ports.ts";
import { type OptimisticTxn, type TransactOptions, transact } from "./transact/transact.ts";
import { type Credentials, checkCredentials, withCredentials } from "./transport/credentials.ts";
import { parseEndpoint } from "./transport/endpoint.ts";
import { EndpointPool } from "./transport/endpoint-pool.ts";
import { createGrpcTransport } from "./transport/grpc-transport.ts";
import { createHttp2Transport } from "./transport/http2-transport.ts";
import { type Interceptor, withInterceptors } from "./transport/interceptors.ts";
import { discoverEndpoints, type SrvOptions } from "./transport/srv-discovery.ts";
import { type TlsOptions, tlsSchema } from "./transport/tls-options.ts";
import type { ClientTransport } from "./transport/transport.ts";
import { bytesInput, callFields, durationMs, validate } from "./validate.ts";
import { WatchMux } from "./watch/watch-mux.ts";
import type { Watcher, WatchOptions } from "./watch/watch-options.ts";
import { createWatcher } from "./watch/watcher.ts";

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
  /** Who the client is; members that ask nobody take it without. Default: nobody, or whom its certificate names. */
  readonly credentials?: Credentials | undefined;
  /**
   * How long the stream of the watches may be silent before the member is asked for a sign of life, in
   * milliseconds; as long again, and another member is asked. Default: 15 000.
   */
  readonly stallMs?: number | undefined;
  /** Put around every try of every call and around every stream, the first one outermost. Default: none. */
  readonly interceptors?: readonly Interceptor[] | undefined;
  /**
   * How often the members are asked for in the background, in milliseconds: those with client URLs take the place of the
   * endpoints. `Infinity`: only by {@link Client.sync}. Default: `Infinity`.
   */
  readonly syncIntervalMs?: number | undefined;
  /** For how long at least a write with an idempotency id can be asked for again, in seconds. Default: 600. */
  readonly idempotencyTtlSec?: number | undefined;
  /**
   * How much the members take at once, where they have been told something else than etcd's defaults; `Infinity` leaves it
   * to them to refuse. What is too much is refused before it is sent, with the members' own codes, and never cut into
   * pieces. Default: see {@link RequestLimits}.
   */
  readonly limits?: Partial<RequestLimits> | undefined;
  /** Takes what event handlers throw. Default: a warning of the process. */
  readonly onHandlerError?: HandlerErrorSink | undefined;
  /**
   * Moves the bytes: gRPC by `@grpc/grpc-js`, or over Node's own HTTP/2, which takes less time for each call, or whatever one
   * has made. Default: `"grpc-js"`.
   */
  readonly transport?: ClientTransport | "grpc-js" | "http2" | undefined;
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
  /**
   * Keys and values of one's own types under a prefix.
   *
   * @throws ConclaveError `INVALID_ARGUMENT` if the prefix does not end with the separator
   */
  keyspace<Value>(
    prefix: string,
    options: Omit<KeyspaceOptions<string, Value>, "key"> & { readonly key?: undefined },
  ): TypedKeyspace<string, Value>;
  /**
   * The same with keys of a type of one's own.
   *
   * @throws ConclaveError `INVALID_ARGUMENT` if the prefix does not end with the separator
   */
  keyspace<Key, Value>(
    prefix: string,
    options: KeyspaceOptions<Key, Value> & { readonly key: Codec<Key> },
  ): TypedKeyspace<Key, Value>;
  /**
   * Runs a function that reads and writes as if at one moment (strict serializability): every read sees the store at one
   * revision, and the writes take effect in one step, only if nothing that was read has changed until then; otherwise
   * the function runs again. Nothing is written if it throws. At most 128 keys may be read and written together, ranges
   * counting as one and one for each key in them (the members' limit, `--max-txn-ops`).
   *
   * @param run - must have no effects but through `tx`, as it may run several times
   * @throws ConclaveError `CONFLICT` if others changed what was read in every try; `OUTCOME_UNKNOWN` if the commit was sent
   * and its fate is not known, unless there is an `idempotencyId`; and whatever the function throws
   * @example
   * ```ts
   * await client.transact(async (tx) => {
   *   const stock = Number(await tx.getString("stock"));
   *   if (stock === 0) throw new Error("sold out");
   *   tx.put("stock", String(stock - 1));
   *   tx.in(orders).put("o1", { item: "lamp" }); // a typed keyspace
   * });
   * ```
   */
  transact<Result>(run: (tx: OptimisticTxn) => Promise<Result>, options?: TransactOptions): Promise<Result>;
  /** A local copy of a range that answers as the cluster would. It starts at once. */
  mirror(range: RangeInput): Mirror;
  /** A view of the keys that start with this, shown without it. */
  namespace(prefix: BytesInput): ClientView;
  /** What the keys of this view start with in the store. */
  readonly prefix: Uint8Array;
  /** The time, timers and randomness that the client runs on; recipes use the same. */
  readonly ports: { readonly clock: Clock; readonly random: Random; readonly scheduler: Scheduler };
}

/** A client of a cluster. */
export interface Client extends ClientView, EventSource<ClientEvents>, AsyncDisposable {
  /** The members of the cluster. */
  readonly cluster: Cluster;
  /** Looking after members. */
  readonly maintenance: Maintenance;
  /** Users and roles. */
  readonly auth: Auth;
  /** Every method of the protocol, as the protocol has it. */
  readonly raw: RawServices;
  /** The addresses of the members: those the client was given, or those of the last {@link Client.sync}. */
  readonly endpoints: readonly string[];
  /**
   * Asks for the members; those with client URLs take the place of the endpoints. Learners are left out.
   *
   * @returns the endpoints from now on
   */
  sync(options?: CallOptions): Promise<readonly string[]>;
  /** What happens to the client from now on, until it is closed; as the handlers of `status` are told. */
  status(options?: Pick<CallOptions, "signal">): AsyncIterable<ClientStatus, undefined>;
  /** Revokes the leases of its sessions, ends its watches, fails its calls and lets go of its connections. */
  close(options?: CallOptions): Promise<void>;
}

const port = z.looseObject({});
const limit = z.number().min(1).or(z.literal(Number.POSITIVE_INFINITY));
const clientSchema = z.strictObject({
  endpoints: z.union([z.string(), z.array(z.string()).min(1)]).optional(),
  timeoutMs: durationMs.optional(),
  namespace: bytesInput.optional(),
  tls: tlsSchema,
  stallMs: z.number().min(1).optional(),
  interceptors: z.array(z.custom((value) => typeof value === "function", "expected a function")).optional(),
  syncIntervalMs: z.number().min(1).or(z.literal(Number.POSITIVE_INFINITY)).optional(),
  idempotencyTtlSec: z.number().int().min(1).max(1_000_000_000).optional(),
  limits: z.strictObject({ txnOps: limit.optional(), requestBytes: limit.optional() }).optional(),
  onHandlerError: z.custom((value) => typeof value === "function", "expected a function").optional(),
  transport: z.union([z.enum(["grpc-js", "http2"]), port], 'expected "grpc-js", "http2" or a transport').optional(),
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
  const { credentials, ...rest } = options;
  checkCredentials(credentials);
  validate(clientSchema, rest, "options of a client");
  return createEtcdClient(options);
}

/** How to connect. */
export interface ConnectOptions extends ClientOptions, CallOptions {
  /** Takes the endpoints from the DNS, in place of `endpoints`; looked up once. Default: `endpoints` count. */
  readonly discoverySrv?: SrvOptions | undefined;
}

const srvSchema = z.strictObject({
  domain: z.string().min(1),
  serviceName: z.string().optional(),
  resolve: z.custom((value) => typeof value === "function", "expected a function").optional(),
});
const connectSchema = z.strictObject({ signal: callFields.signal, discoverySrv: srvSchema.optional() });

/**
 * Makes a client and asks a member for its status, so that a wrong address shows now.
 *
 * @throws ConclaveError `UNAVAILABLE` or `TIMEOUT` if no member answers, or the DNS names none
 */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const { signal, discoverySrv, ...rest } = options;
  validate(connectSchema, { signal, discoverySrv }, "options of a connection");
  const found = discoverySrv === undefined ? {} : { endpoints: await discoverEndpoints(discoverySrv) };
  const client = createClient({ ...rest, ...found });
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
  readonly idempotency: Idempotency;
  readonly onHandlerError: HandlerErrorSink;
}

function createView(shared: Shared, space: Keyspace): ClientView {
  const { ports, floor, mux, idempotency } = shared;
  const kv = createKv(createKvCalls(ports, floor), space);
  const watch: ClientView["watch"] = (range, options) => createWatcher({ ...shared, kv, space }, range, options);
  const view: ClientView = {
    ...kv,
    lease: createLeases(ports, space),
    watch,
    keyspace: <Key, Value>(prefix: string, options: KeyspaceOptions<Key, Value>) =>
      createTypedKeyspace({ client: view, idempotency }, prefix, options),
    transact: (run, options) => transact({ ports, kv, prefix: space.prefix, idempotency }, run, options),
    mirror: (range) => createMirror({ ports, kv, watch, ...progressOf(mux) }, range),
    session: shared.openSession,
    sharedSession: (options) => shared.sharedSessions.share(options),
    namespace(prefix) {
      validate(bytesInput, prefix, "prefix of a namespace");
      return createView(shared, createKeyspace(concatBytes([space.prefix, toBytes(prefix)])));
    },
    prefix: space.prefix,
    ports: { clock: ports.clock, random: ports.random, scheduler: ports.scheduler },
  };
  return view;
}

function progressOf(mux: WatchMux) {
  return { requestProgress: () => mux.requestProgress(), progressIsTrusted: () => mux.progressIsTrusted };
}

function createEtcdClient(options: ClientOptions): Client {
  const closed = new AbortController();
  const onHandlerError = options.onHandlerError ?? warnOfHandlerError;
  const hub = new StatusHub(onHandlerError);
  const ports = createPorts(options, { closed: closed.signal, onStatus: (status) => hub.emit(status) });
  const loop = new KeepAliveLoop(ports);
  const leases = createLeases(ports, createKeyspace(emptyBytes));
  const worker = createRenewer(options, ports);
  const made = { ports, loop, worker, onHandlerError, leases };
  const sessions = new Set<Session>();
  const shared: Shared = {
    ports,
    onHandlerError,
    floor: new RevisionFloor(),
    mux: new WatchMux(ports, { stallMs: options.stallMs ?? stallMsDefault }),
    sharedSessions: new SharedSessions(made),
    idempotency: new Idempotency({
      ports,
      leases,
      ttlSec: options.idempotencyTtlSec ?? idempotencyTtlSecDefault,
    }),
    async openSession(sessionOptions) {
      const session = await openSession(made, sessionOptions);
      sessions.add(session);
      void session.ended.then(() => sessions.delete(session));
      return session;
    },
  };
  const raw = createRawServices(ports);
  const cluster = createCluster(raw);
  const sync = (syncOptions?: CallOptions) => syncEndpoints(ports, cluster, syncOptions);
  const stopSyncing = syncRegularly(ports, sync, options.syncIntervalMs ?? Number.POSITIVE_INFINITY);
  const close = async (closeOptions: CallOptions = {}) => {
    if (closed.signal.aborted) return;
    stopSyncing();
    const patience = { timeoutMs: closeTimeoutMs, ...closeOptions };
    // A lease that cannot be revoked now ends by itself; there is nobody left to tell.
    await Promise.allSettled(
      [...sessions].map((session) => session.close(patience)).concat(shared.sharedSessions.close(patience)),
    );
    closed.abort();
    loop.close();
    worker?.close();
    ports.transport.close();
    hub.emit({ type: "closed" });
  };
  return {
    ...createView(shared, createKeyspace(toBytes(options.namespace ?? emptyBytes))),
    cluster,
    maintenance: createMaintenance(raw),
    auth: createAuth(raw),
    raw,
    get endpoints() {
      return ports.pool.all;
    },
    sync,
    status: (statusOptions = {}) => hub.iterate(statusOptions.signal),
    on: (name, handler) => hub.events.on(name, handler),
    once: (name, handler) => hub.events.once(name, handler),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A thread renews only what this process's own clock and connections can vouch for. */
function createRenewer(options: ClientOptions, ports: CallPorts): WorkerRenewer | undefined {
  const { transport, clock, scheduler, tls, credentials } = options;
  if (typeof transport === "object" || clock !== undefined || scheduler !== undefined) return undefined;
  return new WorkerRenewer(() => ({ endpoints: ports.pool.all, tls, credentials }), ports);
}

function createTransport({ transport = "grpc-js", tls }: ClientOptions): ClientTransport {
  if (typeof transport === "object") return transport;
  return transport === "http2" ? createHttp2Transport({ tls }) : createGrpcTransport({ tls });
}

function createPorts(options: ClientOptions, told: Pick<CallPorts, "closed" | "onStatus">): CallPorts {
  const endpoints = [options.endpoints ?? "127.0.0.1:2379"].flat();
  for (const endpoint of endpoints) parseEndpoint(endpoint);
  const clock = options.clock ?? createSystemClock();
  const random = options.random ?? systemRandom;
  const plain = createTransport(options);
  const transport = options.credentials === undefined ? plain : withCredentials(plain, options.credentials);
  return {
    ...told,
    clock,
    random,
    scheduler: options.scheduler ?? systemScheduler,
    transport: withInterceptors(transport, options.interceptors ?? []),
    pool: new EndpointPool([...new Set(endpoints)], { clock, random, onChange: told.onStatus }),
    timeoutMs: options.timeoutMs ?? timeoutMsDefault,
    limits: { ...defaultLimits, ...options.limits },
  };
}
