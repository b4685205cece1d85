/** @module `-w protobuf`: the encoded answer. What etcdctl writes only the header of, or refuses, is so here too. */
import {
  AlarmResponse,
  AuthRoleGetResponse,
  AuthRoleListResponse,
  AuthStatusResponse,
  AuthUserAddResponse,
  AuthUserGetResponse,
  AuthUserListResponse,
  DeleteRangeResponse,
  DowngradeResponse,
  MemberAddResponse,
  MemberListResponse,
  MemberPromoteResponse,
  MemberRemoveResponse,
  MemberUpdateResponse,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  TxnResponse,
  WatchResponse,
} from "@conclave/protocol/etcdserverpb";
import type { Formatter } from "./answers.ts";
import { unsupported } from "./unsupported.ts";

/** Makes the formatter of `-w protobuf`. */
export function createProtobufFormatter(): Formatter {
  return {
    put: (response) => PutResponse.encode(response).finish(),
    get: (response) => RangeResponse.encode(response).finish(),
    del: (response) => DeleteRangeResponse.encode(response).finish(),
    txn: (response) => TxnResponse.encode(response).finish(),
    watch: (response) => WatchResponse.encode(response).finish(),
    leaseGrant: ({ header }) => encodeHeader(header),
    leaseRevoke: unsupported("protobuf"),
    leaseKeepAlive: ({ header }) => encodeHeader(header),
    leaseTimeToLive: ({ response }) => encodeHeader(response.header),
    leaseList: ({ header }) => encodeHeader(header),
    memberList: (response) => MemberListResponse.encode(response).finish(),
    memberAdd: (response) => MemberAddResponse.encode(response).finish(),
    memberRemove: ({ response }) => MemberRemoveResponse.encode(response).finish(),
    memberUpdate: ({ response }) => MemberUpdateResponse.encode(response).finish(),
    memberPromote: ({ response }) => MemberPromoteResponse.encode(response).finish(),
    alarm: (response) => AlarmResponse.encode(response).finish(),
    endpointStatus: unsupported("protobuf"),
    endpointHealth: unsupported("protobuf"),
    endpointHashKv: unsupported("protobuf"),
    snapshotStatus: unsupported("protobuf"),
    downgrade: ({ response }) => DowngradeResponse.encode(response).finish(),
    authChange: ({ response }) => AuthUserAddResponse.encode(response).finish(),
    authStatus: (response) => AuthStatusResponse.encode(response).finish(),
    userGet: ({ response }) => AuthUserGetResponse.encode(response).finish(),
    userList: (response) => AuthUserListResponse.encode(response).finish(),
    roleGet: ({ response }) => AuthRoleGetResponse.encode(response).finish(),
    roleList: (response) => AuthRoleListResponse.encode(response).finish(),
  };
}

function encodeHeader(header: ResponseHeader | undefined): Uint8Array {
  return ResponseHeader.encode(ResponseHeader.fromPartial(header ?? {})).finish();
}
