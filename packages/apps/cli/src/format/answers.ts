import type {
  AlarmResponse,
  AuthRoleGetResponse,
  AuthRoleListResponse,
  AuthStatusResponse,
  AuthUserAddResponse,
  AuthUserGetResponse,
  AuthUserListResponse,
  DeleteRangeResponse,
  DowngradeResponse,
  HashKVResponse,
  LeaseGrantResponse,
  LeaseKeepAliveResponse,
  LeaseLeasesResponse,
  LeaseRevokeResponse,
  LeaseTimeToLiveResponse,
  MemberAddResponse,
  MemberListResponse,
  MemberPromoteResponse,
  MemberRemoveResponse,
  MemberUpdateResponse,
  PutResponse,
  RangeResponse,
  StatusResponse,
  TxnResponse,
  WatchResponse,
} from "@conclave/protocol/etcdserverpb";
import type { DatabaseStatus } from "@conclave/snapshot";

/** What one endpoint said. */
export interface EndpointAnswer<Response> {
  /** The endpoint as the user gave it. */
  readonly endpoint: string;
  /** Its answer. */
  readonly response: Response;
}

/** What a database file holds. */
export type SnapshotStatus = DatabaseStatus;

/** How one endpoint is. */
export interface EndpointHealth {
  /** The endpoint as the user gave it. */
  readonly endpoint: string;
  /** How long it took to find out, in milliseconds. */
  readonly tookMs: number;
  /** What is wrong with it; undefined if it is healthy. */
  readonly error: string | undefined;
}

/** How long a lease has to live. */
export interface TimeToLiveAnswer {
  /** What the server said. */
  readonly response: LeaseTimeToLiveResponse;
  /** Whether the user asked for the keys. */
  readonly keys: boolean;
}

/** A member that was changed. */
export interface MemberChangeAnswer<Response> {
  /** The member. */
  readonly id: bigint;
  /** What the server said. */
  readonly response: Response;
}

/** A change of users or roles. */
export interface AuthChangeAnswer {
  /** What was done, as people read it. */
  readonly text: string;
  /** What the server said, which is the same for all of them. */
  readonly response: AuthUserAddResponse;
}

/** What came of a downgrade. */
export interface DowngradeAnswer {
  /** What was asked for. */
  readonly done: "validate" | "enable" | "cancel";
  /** What the server said. */
  readonly response: DowngradeResponse;
}

/** A user. */
export interface UserAnswer {
  /** The user's name. */
  readonly name: string;
  /** What the server said. */
  readonly response: AuthUserGetResponse;
}

/** A role. */
export interface RoleAnswer {
  /** The role's name. */
  readonly role: string;
  /** What the server said. */
  readonly response: AuthRoleGetResponse;
}

/** What each kind of answer holds. */
export interface Answers {
  put: PutResponse;
  get: RangeResponse;
  del: DeleteRangeResponse;
  txn: TxnResponse;
  watch: WatchResponse;
  leaseGrant: LeaseGrantResponse;
  leaseRevoke: LeaseRevokeAnswer;
  leaseKeepAlive: LeaseKeepAliveResponse;
  leaseTimeToLive: TimeToLiveAnswer;
  leaseList: LeaseLeasesResponse;
  memberList: MemberListResponse;
  memberAdd: MemberAddResponse;
  memberRemove: MemberChangeAnswer<MemberRemoveResponse>;
  memberUpdate: MemberChangeAnswer<MemberUpdateResponse>;
  memberPromote: MemberChangeAnswer<MemberPromoteResponse>;
  alarm: AlarmResponse;
  endpointStatus: readonly EndpointAnswer<StatusResponse>[];
  endpointHealth: readonly EndpointHealth[];
  endpointHashKv: readonly EndpointAnswer<HashKVResponse>[];
  snapshotStatus: SnapshotStatus;
  downgrade: DowngradeAnswer;
  authChange: AuthChangeAnswer;
  authStatus: AuthStatusResponse;
  userGet: UserAnswer;
  userList: AuthUserListResponse;
  roleGet: RoleAnswer;
  roleList: AuthRoleListResponse;
}

/** A lease that was revoked. */
export interface LeaseRevokeAnswer {
  /** The lease. */
  readonly id: bigint;
  /** What the server said. */
  readonly response: LeaseRevokeResponse;
}

/** Writes answers in one of the output formats, line ends included. */
export type Formatter = {
  readonly [Kind in keyof Answers]: (answer: Answers[Kind]) => string | Uint8Array;
};
