/**
 * @module The codes of {@link ConclaveError}, and what each error of the protocol says about the call that got it:
 * whether a second try may succeed, and whether the first may have changed the store.
 */
import { GrpcStatus, type WireErrorName } from "@conclave/protocol";

/** The code of an error that a member answered with a text of the protocol. */
export type WireErrorCode =
  | "EMPTY_KEY"
  | "KEY_NOT_FOUND"
  | "VALUE_PROVIDED"
  | "LEASE_PROVIDED"
  | "TOO_MANY_OPS"
  | "DUPLICATE_KEY"
  | "INVALID_CLIENT_API_VERSION"
  | "INVALID_SORT_OPTION"
  | "COMPACTED"
  | "FUTURE_REVISION"
  | "NO_SPACE"
  | "LEASE_NOT_FOUND"
  | "LEASE_EXISTS"
  | "LEASE_TTL_TOO_LARGE"
  | "WATCH_CANCELED"
  | "MEMBER_EXISTS"
  | "PEER_URL_EXISTS"
  | "MEMBER_NOT_ENOUGH_STARTED"
  | "MEMBER_BAD_URLS"
  | "MEMBER_NOT_FOUND"
  | "MEMBER_NOT_LEARNER"
  | "LEARNER_NOT_READY"
  | "TOO_MANY_LEARNERS"
  | "CLUSTER_ID_MISMATCH"
  | "REQUEST_TOO_LARGE"
  | "TOO_MANY_REQUESTS"
  | "ROOT_USER_NOT_FOUND"
  | "ROOT_ROLE_NOT_FOUND"
  | "USER_EXISTS"
  | "USER_EMPTY"
  | "USER_NOT_FOUND"
  | "ROLE_EXISTS"
  | "ROLE_NOT_FOUND"
  | "ROLE_EMPTY"
  | "AUTH_FAILED"
  | "PERMISSION_NOT_GIVEN"
  | "PERMISSION_DENIED"
  | "ROLE_NOT_GRANTED"
  | "PERMISSION_NOT_GRANTED"
  | "AUTH_NOT_ENABLED"
  | "INVALID_AUTH_TOKEN"
  | "INVALID_AUTH_MANAGEMENT"
  | "AUTH_OLD_REVISION"
  | "NO_LEADER"
  | "NOT_LEADER"
  | "LEADER_CHANGED"
  | "NOT_CAPABLE"
  | "STOPPED"
  | "SERVER_TIMEOUT"
  | "UNHEALTHY"
  | "CORRUPT"
  | "NOT_SUPPORTED_FOR_LEARNER"
  | "BAD_LEADER_TRANSFEREE"
  | "WRONG_DOWNGRADE_VERSION_FORMAT"
  | "INVALID_DOWNGRADE_TARGET_VERSION"
  | "CLUSTER_VERSION_UNAVAILABLE"
  | "DOWNGRADE_IN_PROCESS"
  | "NO_INFLIGHT_DOWNGRADE"
  | "CANCELED";

/** The code of an error that is known only by its gRPC status. */
export type StatusErrorCode =
  | "PROTOCOL"
  | "CANCELED"
  | "UNKNOWN"
  | "INVALID_ARGUMENT"
  | "TIMEOUT"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "OUT_OF_RANGE"
  | "UNIMPLEMENTED"
  | "INTERNAL"
  | "UNAVAILABLE"
  | "DATA_LOSS"
  | "UNAUTHENTICATED";

/**
 * The code of an error that the client itself found.
 *
 * - `ABORTED`: the caller's signal aborted; its reason is the `cause`
 * - `TIMEOUT`: `timeoutMs` passed; nothing was changed
 * - `OUTCOME_UNKNOWN`: a mutation was sent and its fate is not known; the `cause` says what happened
 * - `CLOSED`: the client, watch or session was closed
 * - `INVALID_ARGUMENT`: an argument is wrong; the message shows the value received
 * - `STALE_READ`: every member that answered a serializable read is behind what this client has already seen
 * - `SESSION_LOST`: the lease of a session ran out or was revoked
 * - `OWNERSHIP_LOST`: what was owned, such as a lock, belongs to someone else by now; a guarded write was refused
 * - `NO_CANDIDATE`: nobody stands, or not the one wanted, to whom leadership could be handed over
 * - `SLOW_CONSUMER`: the buffer of a watch with the policy `"fail"` was full
 * - `CONFLICT`: what an optimistic transaction read was changed by others in every try; nothing was changed
 * - `HANDLER_FAILED`: an event handler threw; its error is the `cause`
 */
export type LocalErrorCode =
  | "ABORTED"
  | "TIMEOUT"
  | "OUTCOME_UNKNOWN"
  | "CLOSED"
  | "INVALID_ARGUMENT"
  | "STALE_READ"
  | "SESSION_LOST"
  | "OWNERSHIP_LOST"
  | "NO_CANDIDATE"
  | "SLOW_CONSUMER"
  | "CONFLICT"
  | "HANDLER_FAILED";

/** Every code a {@link ConclaveError} can have. */
export type ConclaveErrorCode = WireErrorCode | StatusErrorCode | LocalErrorCode;

/** What is known of a failure. */
export interface FailureKind<Code extends ConclaveErrorCode = ConclaveErrorCode> {
  /** The code of the error the caller sees. */
  readonly code: Code;
  /** Whether the same call may succeed a moment later, perhaps on another member. */
  readonly transient: boolean;
  /** Whether the store may have changed all the same. */
  readonly maybeApplied: boolean;
}

/** The member refused; asking again gives the same answer. */
const refused = <Code extends ConclaveErrorCode>(code: Code): FailureKind<Code> => ({
  code,
  transient: false,
  maybeApplied: false,
});

/** The member refused before it proposed anything; a moment later it may accept. */
const busy = <Code extends ConclaveErrorCode>(code: Code): FailureKind<Code> => ({
  code,
  transient: true,
  maybeApplied: false,
});

/** The member gave up waiting; what it proposed may still be applied. */
const ambiguous = <Code extends ConclaveErrorCode>(code: Code): FailureKind<Code> => ({
  code,
  transient: true,
  maybeApplied: true,
});

/** What each error of the protocol means for a call. */
export const wireFailures: Readonly<Record<WireErrorName, FailureKind<WireErrorCode>>> = {
  EmptyKey: refused("EMPTY_KEY"),
  KeyNotFound: refused("KEY_NOT_FOUND"),
  ValueProvided: refused("VALUE_PROVIDED"),
  LeaseProvided: refused("LEASE_PROVIDED"),
  TooManyOps: refused("TOO_MANY_OPS"),
  DuplicateKey: refused("DUPLICATE_KEY"),
  InvalidClientAPIVersion: refused("INVALID_CLIENT_API_VERSION"),
  InvalidSortOption: refused("INVALID_SORT_OPTION"),
  Compacted: refused("COMPACTED"),
  FutureRev: refused("FUTURE_REVISION"),
  NoSpace: refused("NO_SPACE"),
  LeaseNotFound: refused("LEASE_NOT_FOUND"),
  LeaseExist: refused("LEASE_EXISTS"),
  LeaseTTLTooLarge: refused("LEASE_TTL_TOO_LARGE"),
  WatchCanceled: refused("WATCH_CANCELED"),
  MemberExist: refused("MEMBER_EXISTS"),
  PeerURLExist: refused("PEER_URL_EXISTS"),
  MemberNotEnoughStarted: refused("MEMBER_NOT_ENOUGH_STARTED"),
  MemberBadURLs: refused("MEMBER_BAD_URLS"),
  MemberNotFound: refused("MEMBER_NOT_FOUND"),
  MemberNotLearner: refused("MEMBER_NOT_LEARNER"),
  LearnerNotReady: refused("LEARNER_NOT_READY"),
  TooManyLearners: refused("TOO_MANY_LEARNERS"),
  ClusterIDMismatch: refused("CLUSTER_ID_MISMATCH"),
  RequestTooLarge: refused("REQUEST_TOO_LARGE"),
  RequestTooManyRequests: busy("TOO_MANY_REQUESTS"),
  RootUserNotExist: refused("ROOT_USER_NOT_FOUND"),
  RootRoleNotExist: refused("ROOT_ROLE_NOT_FOUND"),
  UserAlreadyExist: refused("USER_EXISTS"),
  UserEmpty: refused("USER_EMPTY"),
  UserNotFound: refused("USER_NOT_FOUND"),
  RoleAlreadyExist: refused("ROLE_EXISTS"),
  RoleNotFound: refused("ROLE_NOT_FOUND"),
  RoleEmpty: refused("ROLE_EMPTY"),
  AuthFailed: refused("AUTH_FAILED"),
  PermissionNotGiven: refused("PERMISSION_NOT_GIVEN"),
  PermissionDenied: refused("PERMISSION_DENIED"),
  RoleNotGranted: refused("ROLE_NOT_GRANTED"),
  PermissionNotGranted: refused("PERMISSION_NOT_GRANTED"),
  AuthNotEnabled: refused("AUTH_NOT_ENABLED"),
  InvalidAuthToken: refused("INVALID_AUTH_TOKEN"),
  InvalidAuthMgmt: refused("INVALID_AUTH_MANAGEMENT"),
  AuthOldRevision: refused("AUTH_OLD_REVISION"),
  NoLeader: busy("NO_LEADER"),
  NotLeader: busy("NOT_LEADER"),
  LeaderChanged: ambiguous("LEADER_CHANGED"),
  NotCapable: refused("NOT_CAPABLE"),
  Stopped: ambiguous("STOPPED"),
  Timeout: ambiguous("SERVER_TIMEOUT"),
  TimeoutDueToLeaderFail: ambiguous("SERVER_TIMEOUT"),
  TimeoutDueToConnectionLost: ambiguous("SERVER_TIMEOUT"),
  TimeoutWaitAppliedIndex: ambiguous("SERVER_TIMEOUT"),
  Unhealthy: busy("UNHEALTHY"),
  Corrupt: refused("CORRUPT"),
  NotSupportedForLearner: busy("NOT_SUPPORTED_FOR_LEARNER"),
  BadLeaderTransferee: refused("BAD_LEADER_TRANSFEREE"),
  WrongDowngradeVersionFormat: refused("WRONG_DOWNGRADE_VERSION_FORMAT"),
  InvalidDowngradeTargetVersion: refused("INVALID_DOWNGRADE_TARGET_VERSION"),
  ClusterVersionUnavailable: refused("CLUSTER_VERSION_UNAVAILABLE"),
  DowngradeInProcess: refused("DOWNGRADE_IN_PROCESS"),
  NoInflightDowngrade: refused("NO_INFLIGHT_DOWNGRADE"),
  Canceled: ambiguous("CANCELED"),
  DeadlineExceeded: ambiguous("SERVER_TIMEOUT"),
};

/** What a gRPC status without a text of the protocol means for a call. */
export const statusFailures: Readonly<Record<GrpcStatus, FailureKind<StatusErrorCode>>> = {
  [GrpcStatus.Ok]: ambiguous("PROTOCOL"),
  [GrpcStatus.Canceled]: ambiguous("CANCELED"),
  [GrpcStatus.Unknown]: ambiguous("UNKNOWN"),
  [GrpcStatus.InvalidArgument]: refused("INVALID_ARGUMENT"),
  [GrpcStatus.DeadlineExceeded]: ambiguous("TIMEOUT"),
  [GrpcStatus.NotFound]: refused("NOT_FOUND"),
  [GrpcStatus.AlreadyExists]: refused("ALREADY_EXISTS"),
  [GrpcStatus.PermissionDenied]: refused("PERMISSION_DENIED"),
  // Also what grpc-js says of an answer it finds too large: then the call has been applied.
  [GrpcStatus.ResourceExhausted]: { code: "RESOURCE_EXHAUSTED", transient: false, maybeApplied: true },
  [GrpcStatus.FailedPrecondition]: refused("FAILED_PRECONDITION"),
  [GrpcStatus.Aborted]: ambiguous("CANCELED"),
  [GrpcStatus.OutOfRange]: refused("OUT_OF_RANGE"),
  [GrpcStatus.Unimplemented]: refused("UNIMPLEMENTED"),
  [GrpcStatus.Internal]: ambiguous("INTERNAL"),
  [GrpcStatus.Unavailable]: ambiguous("UNAVAILABLE"),
  [GrpcStatus.DataLoss]: { code: "DATA_LOSS", transient: false, maybeApplied: true },
  [GrpcStatus.Unauthenticated]: refused("UNAUTHENTICATED"),
};
