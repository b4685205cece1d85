// For siblings that bring their own events and timers.
export { type Backoff, fullJitterMs } from "./backoff.ts";
export type { CallOptions } from "./call-scope.ts";
export { CallScope, type ScopeEnd, type ScopePorts, sleep } from "./call-scope.ts";
export { type Client, type ClientOptions, type ClientView, connect, createClient } from "./client.ts";
export type { Cluster, Member, MemberAddResult, MemberListResult } from "./cluster.ts";
export { type Compare, type CompareFactory, type Comparison, compare } from "./compare.ts";
export {
  ConclaveError,
  type ConclaveErrorDetails,
  type ConclaveErrorOptions,
  type FailedAttempt,
  isConclaveError,
} from "./conclave-error.ts";
export type { ConclaveErrorCode, LocalErrorCode, StatusErrorCode, WireErrorCode } from "./error-codes.ts";
export { createGrpcTransport, type GrpcTransportOptions, type TlsOptions } from "./grpc-transport.ts";
export type { EventMap, EventSource, HandlerErrorSink } from "./isolated-emitter.ts";
export { IsolatedEmitter } from "./isolated-emitter.ts";
export type { Renewal } from "./keep-alive-loop.ts";
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
} from "./key-range.ts";
export type { KeyValue, ResponseHeader } from "./key-value.ts";
export type { CompactOptions, Kv, ScanOptions } from "./kv.ts";
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
} from "./kv-options.ts";
export type { LeaseGrant, LeaseGrantOptions, Leases, LeaseTimeToLive, LeaseTimeToLiveOptions } from "./lease.ts";
export type {
  Alarm,
  AlarmOptions,
  HashKvResult,
  HashResult,
  Maintenance,
  MemberCallOptions,
  MemberStatus,
} from "./maintenance.ts";
export type { MessageStreamOptions } from "./message-stream.ts";
export { onAbort } from "./on-abort.ts";
export { type Op, type OpFactory, type OpResult, op } from "./op.ts";
export { type Ownership, type OwnershipOptions, takeOwnership } from "./ownership.ts";
export type { PartialMessage, RawCallOptions, RawMethod, RawService, RawServices } from "./raw.ts";
export type { Session, SessionEvents, SessionOptions } from "./session.ts";
export type { SharedSession, SharedSessionEvents, SharedSessionOptions } from "./shared-session.ts";
export {
  type CallMetadata,
  type ClientStream,
  type ClientTransport,
  type StreamCall,
  type StreamSink,
  TransportError,
  type UnaryCall,
} from "./transport.ts";
export type { OpResults, Txn, TxnResult } from "./txn.ts";
export type { EventsBatch, ProgressBatch, ResyncBatch, WatchBatch, WatchEvent } from "./watch-batch.ts";
export type { WatchEvents, Watcher, WatchOptions } from "./watch-options.ts";
