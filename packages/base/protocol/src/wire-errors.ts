/**
 * @module The errors a member answers with: name, gRPC status and text. Clients of every language match on the
 * texts, so a text is a contract and stands only here.
 */
import { GrpcStatus, type GrpcStatusName } from "./grpc-status.ts";

const rows = {
  EmptyKey: ["InvalidArgument", "etcdserver: key is not provided"],
  KeyNotFound: ["InvalidArgument", "etcdserver: key not found"],
  ValueProvided: ["InvalidArgument", "etcdserver: value is provided"],
  LeaseProvided: ["InvalidArgument", "etcdserver: lease is provided"],
  TooManyOps: ["InvalidArgument", "etcdserver: too many operations in txn request"],
  DuplicateKey: ["InvalidArgument", "etcdserver: duplicate key given in txn request"],
  InvalidClientAPIVersion: ["InvalidArgument", "etcdserver: invalid client api version"],
  InvalidSortOption: ["InvalidArgument", "etcdserver: invalid sort option"],
  Compacted: ["OutOfRange", "etcdserver: mvcc: required revision has been compacted"],
  FutureRev: ["OutOfRange", "etcdserver: mvcc: required revision is a future revision"],
  NoSpace: ["ResourceExhausted", "etcdserver: mvcc: database space exceeded"],
  LeaseNotFound: ["NotFound", "etcdserver: requested lease not found"],
  LeaseExist: ["FailedPrecondition", "etcdserver: lease already exists"],
  LeaseTTLTooLarge: ["OutOfRange", "etcdserver: too large lease TTL"],
  WatchCanceled: ["Canceled", "etcdserver: watch canceled"],
  MemberExist: ["FailedPrecondition", "etcdserver: member ID already exist"],
  PeerURLExist: ["FailedPrecondition", "etcdserver: Peer URLs already exists"],
  MemberNotEnoughStarted: [
    "FailedPrecondition",
    "etcdserver: re-configuration failed due to not enough started members",
  ],
  MemberBadURLs: ["InvalidArgument", "etcdserver: given member URLs are invalid"],
  MemberNotFound: ["NotFound", "etcdserver: member not found"],
  MemberNotLearner: ["FailedPrecondition", "etcdserver: can only promote a learner member"],
  LearnerNotReady: ["FailedPrecondition", "etcdserver: can only promote a learner member which is in sync with leader"],
  TooManyLearners: ["FailedPrecondition", "etcdserver: too many learner members in cluster"],
  ClusterIDMismatch: ["FailedPrecondition", "etcdserver: cluster ID mismatch"],
  RequestTooLarge: ["InvalidArgument", "etcdserver: request is too large"],
  RequestTooManyRequests: ["ResourceExhausted", "etcdserver: too many requests"],
  RootUserNotExist: ["FailedPrecondition", "etcdserver: root user does not exist"],
  RootRoleNotExist: ["FailedPrecondition", "etcdserver: root user does not have root role"],
  UserAlreadyExist: ["FailedPrecondition", "etcdserver: user name already exists"],
  UserEmpty: ["InvalidArgument", "etcdserver: user name is empty"],
  UserNotFound: ["FailedPrecondition", "etcdserver: user name not found"],
  RoleAlreadyExist: ["FailedPrecondition", "etcdserver: role name already exists"],
  RoleNotFound: ["FailedPrecondition", "etcdserver: role name not found"],
  RoleEmpty: ["InvalidArgument", "etcdserver: role name is empty"],
  AuthFailed: ["InvalidArgument", "etcdserver: authentication failed, invalid user ID or password"],
  PermissionNotGiven: ["InvalidArgument", "etcdserver: permission not given"],
  PermissionDenied: ["PermissionDenied", "etcdserver: permission denied"],
  RoleNotGranted: ["FailedPrecondition", "etcdserver: role is not granted to the user"],
  PermissionNotGranted: ["FailedPrecondition", "etcdserver: permission is not granted to the role"],
  AuthNotEnabled: ["FailedPrecondition", "etcdserver: authentication is not enabled"],
  InvalidAuthToken: ["Unauthenticated", "etcdserver: invalid auth token"],
  InvalidAuthMgmt: ["InvalidArgument", "etcdserver: invalid auth management"],
  AuthOldRevision: ["InvalidArgument", "etcdserver: revision of auth store is old"],
  NoLeader: ["Unavailable", "etcdserver: no leader"],
  NotLeader: ["FailedPrecondition", "etcdserver: not leader"],
  LeaderChanged: ["Unavailable", "etcdserver: leader changed"],
  NotCapable: ["FailedPrecondition", "etcdserver: not capable"],
  Stopped: ["Unavailable", "etcdserver: server stopped"],
  Timeout: ["Unavailable", "etcdserver: request timed out"],
  TimeoutDueToLeaderFail: ["Unavailable", "etcdserver: request timed out, possibly due to previous leader failure"],
  TimeoutDueToConnectionLost: ["Unavailable", "etcdserver: request timed out, possibly due to connection lost"],
  TimeoutWaitAppliedIndex: [
    "Unavailable",
    "etcdserver: request timed out, waiting for the applied index took too long",
  ],
  Unhealthy: ["Unavailable", "etcdserver: unhealthy cluster"],
  Corrupt: ["DataLoss", "etcdserver: corrupt cluster"],
  NotSupportedForLearner: ["FailedPrecondition", "etcdserver: rpc not supported for learner"],
  BadLeaderTransferee: ["FailedPrecondition", "etcdserver: bad leader transferee"],
  WrongDowngradeVersionFormat: ["InvalidArgument", "etcdserver: wrong downgrade target version format"],
  InvalidDowngradeTargetVersion: ["InvalidArgument", "etcdserver: invalid downgrade target version"],
  ClusterVersionUnavailable: ["FailedPrecondition", "etcdserver: cluster version not found during downgrade"],
  DowngradeInProcess: ["FailedPrecondition", "etcdserver: cluster has a downgrade job in progress"],
  NoInflightDowngrade: ["FailedPrecondition", "etcdserver: no inflight downgrade job"],
  Canceled: ["Canceled", "etcdserver: request canceled"],
  DeadlineExceeded: ["DeadlineExceeded", "etcdserver: context deadline exceeded"],
} as const;

/** The name of an error of the protocol. */
export type WireErrorName = keyof typeof rows;

/** What goes over the wire for an error. */
export interface WireErrorRow {
  /** The gRPC status code. */
  readonly status: GrpcStatus;
  /** The status message, to the letter. */
  readonly text: string;
}

function toRow([status, text]: readonly [GrpcStatusName, string]): WireErrorRow {
  return { status: GrpcStatus[status], text };
}

/** Every error of the protocol by its name. */
export const wireErrors: Readonly<Record<WireErrorName, WireErrorRow>> = Object.fromEntries(
  Object.entries(rows).map(([name, row]) => [name, toRow(row)]),
) as Record<WireErrorName, WireErrorRow>;

const names = Object.keys(rows) as readonly WireErrorName[];
const nameByText: ReadonlyMap<string, WireErrorName> = new Map(names.map((name) => [rows[name][1], name]));

/** The name of the error with this text, or undefined if the text is none of the protocol's. */
export function wireErrorName(text: string): WireErrorName | undefined {
  return nameByText.get(text);
}

/** An error of the protocol. Told apart by `name` and `code`, never by `instanceof`. */
export class WireError extends Error {
  override readonly name = "WireError";
  /** Which error it is. */
  readonly code: WireErrorName;
  /** The gRPC status code it is answered with. */
  readonly status: GrpcStatus;

  /**
   * @param code - which error; its text becomes the message
   * @param options - `cause`: what led to it, for the log; never sent
   */
  constructor(code: WireErrorName, options?: ErrorOptions) {
    super(wireErrors[code].text, options);
    this.code = code;
    this.status = wireErrors[code].status;
  }
}
