/** @module The methods that the client's own code calls; every other one is reached through `client.raw`. */
import {
  ClusterDefinition,
  type CompactionRequest,
  type CompactionResponse,
  type DeleteRangeRequest,
  type DeleteRangeResponse,
  KVDefinition,
  LeaseDefinition,
  type LeaseGrantRequest,
  type LeaseGrantResponse,
  type LeaseKeepAliveRequest,
  type LeaseKeepAliveResponse,
  type LeaseLeasesRequest,
  type LeaseLeasesResponse,
  type LeaseRevokeRequest,
  type LeaseRevokeResponse,
  type LeaseTimeToLiveRequest,
  type LeaseTimeToLiveResponse,
  MaintenanceDefinition,
  type MemberListRequest,
  type MemberListResponse,
  type PutRequest,
  type PutResponse,
  type RangeRequest,
  type RangeResponse,
  type SnapshotRequest,
  type SnapshotResponse,
  type StatusRequest,
  type StatusResponse,
  type TxnRequest,
  type TxnResponse,
  WatchDefinition,
  type WatchRequest,
  type WatchResponse,
} from "@conclave/protocol/etcdserverpb";
import { type RpcMethod, rpcMethod } from "./rpc-method.ts";

const kv = KVDefinition.methods;
const lease = LeaseDefinition.methods;

/** KV.Range */
export const rangeMethod: RpcMethod<RangeRequest, RangeResponse> = rpcMethod(KVDefinition, kv.range);
/** KV.Put */
export const putMethod: RpcMethod<PutRequest, PutResponse> = rpcMethod(KVDefinition, kv.put);
/** KV.DeleteRange */
export const deleteRangeMethod: RpcMethod<DeleteRangeRequest, DeleteRangeResponse> = rpcMethod(
  KVDefinition,
  kv.deleteRange,
);
/** KV.Txn */
export const txnMethod: RpcMethod<TxnRequest, TxnResponse> = rpcMethod(KVDefinition, kv.txn);
/** KV.Compact */
export const compactMethod: RpcMethod<CompactionRequest, CompactionResponse> = rpcMethod(KVDefinition, kv.compact);
/** Watch.Watch */
export const watchMethod: RpcMethod<WatchRequest, WatchResponse> = rpcMethod(
  WatchDefinition,
  WatchDefinition.methods.watch,
);
/** Lease.LeaseGrant */
export const leaseGrantMethod: RpcMethod<LeaseGrantRequest, LeaseGrantResponse> = rpcMethod(
  LeaseDefinition,
  lease.leaseGrant,
);
/** Lease.LeaseRevoke */
export const leaseRevokeMethod: RpcMethod<LeaseRevokeRequest, LeaseRevokeResponse> = rpcMethod(
  LeaseDefinition,
  lease.leaseRevoke,
);
/** Lease.LeaseKeepAlive */
export const leaseKeepAliveMethod: RpcMethod<LeaseKeepAliveRequest, LeaseKeepAliveResponse> = rpcMethod(
  LeaseDefinition,
  lease.leaseKeepAlive,
);
/** Lease.LeaseTimeToLive */
export const leaseTimeToLiveMethod: RpcMethod<LeaseTimeToLiveRequest, LeaseTimeToLiveResponse> = rpcMethod(
  LeaseDefinition,
  lease.leaseTimeToLive,
);
/** Lease.LeaseLeases */
export const leaseLeasesMethod: RpcMethod<LeaseLeasesRequest, LeaseLeasesResponse> = rpcMethod(
  LeaseDefinition,
  lease.leaseLeases,
);
/** Cluster.MemberList */
export const memberListMethod: RpcMethod<MemberListRequest, MemberListResponse> = rpcMethod(
  ClusterDefinition,
  ClusterDefinition.methods.memberList,
);
/** Maintenance.Status */
export const statusMethod: RpcMethod<StatusRequest, StatusResponse> = rpcMethod(
  MaintenanceDefinition,
  MaintenanceDefinition.methods.status,
);
/** Maintenance.Snapshot */
export const snapshotMethod: RpcMethod<SnapshotRequest, SnapshotResponse> = rpcMethod(
  MaintenanceDefinition,
  MaintenanceDefinition.methods.snapshot,
);
