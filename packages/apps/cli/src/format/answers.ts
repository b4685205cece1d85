import type {
  AlarmResponse,
  DeleteRangeResponse,
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

/** What one endpoint said. */
export interface EndpointAnswer<Response> {
  /** The endpoint as the user gave it. */
  readonly endpoint: string;
  /** Its answer. */
  readonly response: Response;
}

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
