// For siblings that bring their own events and timers.
export type { Access, Auth, AuthStatus, GrantedPermission, NewUser } from "./admin/auth.ts";
export type { Cluster, Member, MemberAddResult, MemberListResult } from "./admin/cluster.ts";
export type {
  Alarm,
  AlarmOptions,
  HashKvResult,
  HashResult,
  Maintenance,
  MemberCallOptions,
  MemberStatus,
} from "./admin/maintenance.ts";
export { type Backoff, fullJitterMs } from "./calls/backoff.ts";
export type { CallOptions } from "./calls/call-scope.ts";
export { CallScope, type ScopeEnd, type ScopePorts, sleep } from "./calls/call-scope.ts";
export type { RequestLimits } from "./calls/limits.ts";
export type { MessageStreamOptions } from "./calls/message-stream.ts";
export type { PartialMessage, RawCallOptions, RawMethod, RawService, RawServices } from "./calls/raw.ts";
export { requestsWithin } from "./calls/requests-within.ts";
export type { ConnectOptions } from "./client.ts";
export { type Client, type ClientOptions, type ClientView, connect, createClient } from "./client.ts";
export { bytesCodec, type Codec, jsonCodec, schemaCodec, stringCodec } from "./codec.ts";
export {
  ConclaveError,
  type ConclaveErrorDetails,
  type ConclaveErrorOptions,
  type FailedAttempt,
  isConclaveError,
} from "./conclave-error.ts";
// What others see of locks and elections, for the recipes.
export {
  type Contender,
  type Contention,
  type ContentionListing,
  listContentions,
  readContenders,
} from "./contenders.ts";
export { type AwaitedKeys, type QueueRule, takenError, untilDeleted } from "./contention-queue.ts";
export type { ConclaveErrorCode, LocalErrorCode, StatusErrorCode, WireErrorCode } from "./error-codes.ts";
export { ForwardedOwnership } from "./forwarded-ownership.ts";
export type { EventMap, EventSource, HandlerErrorSink } from "./isolated-emitter.ts";
export { IsolatedEmitter, warnOfHandlerError } from "./isolated-emitter.ts";
export type { Entry } from "./keyspace/entry.ts";
export type {
  KeyspaceBatch,
  KeyspaceEvent,
  KeyspaceWatcher,
  KeyspaceWatchOptions,
} from "./keyspace/keyspace-watch.ts";
export type {
  KeyspaceOptions,
  KeyspacePutOptions,
  KeyspaceWriteOptions,
  TypedKeyspace,
  WriteCondition,
} from "./keyspace/typed-keyspace.ts";
export { type Compare, type CompareFactory, type Comparison, compare } from "./kv/compare.ts";
export { idempotencyPrefix } from "./kv/idempotency.ts";
export {
  allKeys,
  type BytesInput,
  between,
  directory,
  fromKey,
  type KeyRange,
  prefix,
  type RangeInput,
  singleKey,
} from "./kv/key-range.ts";
export type { KeyValue, ResponseHeader } from "./kv/key-value.ts";
export type { CompactOptions, Kv, ScanOptions } from "./kv/kv.ts";
export type {
  DeleteOptions,
  DeleteResult,
  DeleteSelection,
  GetOptions,
  MutationOptions,
  PutOptions,
  PutResult,
  PutSelection,
  RangeOptions,
  RangeResult,
  RangeSelection,
} from "./kv/kv-options.ts";
export { type Op, type OpFactory, type OpResult, op } from "./kv/op.ts";
export type { Committed, Rejected, Unknown, WriteOutcome } from "./kv/outcome.ts";
export type { OpResults, Txn, TxnResult } from "./kv/txn.ts";
export type { Renewal } from "./lease/keep-alive-loop.ts";
export type { LeaseGrant, LeaseGrantOptions, Leases, LeaseTimeToLive, LeaseTimeToLiveOptions } from "./lease/lease.ts";
export { type LeaseTimes, readLeaseTimes } from "./lease/lease-times.ts";
export { grantOwnLease, type OwnLease, type OwnLeasePorts } from "./lease/own-lease.ts";
export type { Session, SessionEvents, SessionOptions } from "./lease/session.ts";
export type { SharedSession, SharedSessionEvents, SharedSessionOptions } from "./lease/shared-session.ts";
export { LinkedSignal } from "./linked-signal.ts";
export type { Mirror, MirrorReadOptions } from "./mirror/mirror.ts";
export { type CallTrace, callChannelName } from "./observe/call-tracing.ts";
export type { ClientEvents, ClientStatus } from "./observe/client-status.ts";
export { type EndSignal, onAbort } from "./on-abort.ts";
export {
  type ContentionOptions,
  createOwnership,
  type OwnedKeys,
  type Ownership,
  type OwnershipOptions,
  takeOwnership,
  withOwnSession,
} from "./ownership.ts";
export { replaceFile } from "./replace-file.ts";
export { describeIssues, type SchemaIssue, type SchemaResult, type StandardSchema } from "./standard-schema.ts";
export type { OptimisticTxn, TransactOptions } from "./transact/transact.ts";
export type { TypedPair, TypedTxn } from "./transact/typed-txn.ts";
export type { Pair } from "./transact/write-set.ts";
export { type Credentials, withCredentials } from "./transport/credentials.ts";
export { createGrpcTransport } from "./transport/grpc-transport.ts";
export { createHttp2Transport } from "./transport/http2-transport.ts";
export type {
  CallHandler,
  CallRequest,
  CallResponse,
  Interceptor,
  StreamRequest,
  UnaryRequest,
} from "./transport/interceptors.ts";
export { discoverEndpoints, type SrvOptions, type SrvRecord } from "./transport/srv-discovery.ts";
export type { PemSource, TlsOptions } from "./transport/tls-options.ts";
export {
  type CallMetadata,
  type ClientStream,
  type ClientTransport,
  type StreamCall,
  type StreamSink,
  TransportError,
  type UnaryCall,
} from "./transport/transport.ts";
export type { GrpcTransportOptions } from "./transport/transport-options.ts";
export type { EventsBatch, ProgressBatch, ResyncBatch, WatchBatch, WatchEvent } from "./watch/watch-batch.ts";
export type { WatchCursor } from "./watch/watch-cursor.ts";
export type { WatchEvents, Watcher, WatchOptions } from "./watch/watch-options.ts";
