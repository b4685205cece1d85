/** @module `-w json`: one line per answer, in the shape in which Go's encoder writes etcd's client types. */

import type {
  DeleteRangeResponse,
  HashKVResponse,
  Member,
  MemberListResponse,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  ResponseOp,
  StatusResponse,
  TxnResponse,
} from "@conclave/protocol/etcdserverpb";
import type { Event, KeyValue } from "@conclave/protocol/mvccpb";
import { formatDuration } from "../go/duration.ts";
import { type GoValue, goJson, omitEmpty } from "../go/json.ts";
import type { Formatter } from "./answers.ts";

/** Makes the formatter of `-w json`. */
export function createJsonFormatter(): Formatter {
  return {
    put: (response) => line(put(response)),
    get: (response) => line(range(response)),
    del: (response) => line(deleteRange(response)),
    txn: (response) => line(txn(response)),
    watch: (response) =>
      line({
        Header: header(response.header) ?? {},
        Events: response.events.map(event),
        CompactRevision: response.compactRevision,
        Canceled: response.canceled,
        Created: response.created,
      }),
    leaseGrant: ({ header: head, ID, TTL, error }) => line({ ...header(head), ID, TTL, Error: error }),
    leaseRevoke: ({ response }) => line(omitEmpty({ header: header(response.header) })),
    leaseKeepAlive: ({ header: head, ID, TTL }) => line({ ...header(head), ID, TTL }),
    leaseTimeToLive: ({ response: { header: head, ID, TTL, grantedTTL, keys } }) =>
      line({ ...header(head), id: ID, ttl: TTL, "granted-ttl": grantedTTL, keys: keys.length > 0 ? keys : null }),
    leaseList: ({ header: head, leases }) => line({ ...header(head), leases: leases.map(({ ID }) => ({ id: ID })) }),
    memberList: (response) => line(memberList(response)),
    memberAdd: (response) =>
      line(
        omitEmpty({
          header: header(response.header),
          member: response.member === undefined ? undefined : member(response.member),
          members: response.members.map(member),
        }),
      ),
    memberRemove: ({ response }) => line(memberList(response)),
    memberUpdate: ({ response }) => line(memberList(response)),
    memberPromote: ({ response }) => line(memberList(response)),
    alarm: (response) =>
      line(
        omitEmpty({
          header: header(response.header),
          alarms: response.alarms.map(({ memberID, alarm }) => omitEmpty({ memberID, alarm })),
        }),
      ),
    endpointStatus: (list) =>
      line(list.map(({ endpoint, response }) => ({ Endpoint: endpoint, Status: status(response) }))),
    endpointHealth: (list) =>
      line(
        list.map(({ endpoint, tookMs, error }) => ({
          endpoint,
          health: error === undefined,
          took: formatDuration(tookMs),
          error,
        })),
      ),
    endpointHashKv: (list) =>
      line(list.map(({ endpoint, response }) => ({ Endpoint: endpoint, HashKV: hashKv(response) }))),
    snapshotStatus: ({ hash, revision, totalKeys, sizeBytes }) =>
      line({ hash, revision, totalKey: totalKeys, totalSize: sizeBytes }),
    downgrade: ({ response }) => line(omitEmpty({ header: header(response.header), version: response.version })),
    authChange: ({ response }) => line(omitEmpty({ header: header(response.header) })),
    authStatus: ({ header: head, enabled, authRevision }) =>
      line(omitEmpty({ header: header(head), enabled, authRevision })),
    userGet: ({ response: { header: head, roles } }) => line(omitEmpty({ header: header(head), roles })),
    userList: ({ header: head, users }) => line(omitEmpty({ header: header(head), users })),
    roleGet: ({ response: { header: head, perm } }) =>
      line(
        omitEmpty({
          header: header(head),
          perm: perm.map(({ permType, key, rangeEnd }) => omitEmpty({ permType, key, range_end: rangeEnd })),
        }),
      ),
    roleList: ({ header: head, roles }) => line(omitEmpty({ header: header(head), roles })),
  };
}

function line(value: GoValue): string {
  return `${goJson(value)}\n`;
}

function header(head: ResponseHeader | undefined): Record<string, GoValue> | undefined {
  if (head === undefined) return undefined;
  const { clusterId, memberId, revision, raftTerm } = head;
  return omitEmpty({ cluster_id: clusterId, member_id: memberId, revision, raft_term: raftTerm });
}

function keyValue(kv: KeyValue): GoValue {
  return omitEmpty({
    key: kv.key,
    create_revision: kv.createRevision,
    mod_revision: kv.modRevision,
    version: kv.version,
    value: kv.value,
    lease: kv.lease,
  });
}

function maybeKeyValue(kv: KeyValue | undefined): GoValue {
  return kv === undefined ? undefined : keyValue(kv);
}

function event({ type, kv, prevKv }: Event): GoValue {
  return omitEmpty({ type, kv: maybeKeyValue(kv), prev_kv: maybeKeyValue(prevKv) });
}

function put(response: PutResponse): GoValue {
  return omitEmpty({ header: header(response.header), prev_kv: maybeKeyValue(response.prevKv) });
}

function range({ header: head, kvs, more, count }: RangeResponse): GoValue {
  return omitEmpty({ header: header(head), kvs: kvs.map(keyValue), more, count });
}

function deleteRange({ header: head, deleted, prevKvs }: DeleteRangeResponse): GoValue {
  return omitEmpty({ header: header(head), deleted, prev_kvs: prevKvs.map(keyValue) });
}

function txn({ header: head, succeeded, responses }: TxnResponse): GoValue {
  return omitEmpty({ header: header(head), succeeded, responses: responses.map(operation) });
}

function operation({ response }: ResponseOp): GoValue {
  switch (response?.$case) {
    case "responsePut":
      return { Response: { ResponsePut: put(response.value) } };
    case "responseRange":
      return { Response: { ResponseRange: range(response.value) } };
    case "responseDeleteRange":
      return { Response: { ResponseDeleteRange: deleteRange(response.value) } };
    case "responseTxn":
      return { Response: { ResponseTxn: txn(response.value) } };
    case undefined:
      return { Response: null };
  }
}

function memberList({ header: head, members }: MemberListResponse): GoValue {
  return omitEmpty({ header: header(head), members: members.map(member) });
}

function member({ ID, name, peerURLs, clientURLs, isLearner }: Member): GoValue {
  return omitEmpty({ ID, name, peerURLs, clientURLs, isLearner });
}

function status(response: StatusResponse): GoValue {
  const { version, dbSize, leader, raftIndex, raftTerm, raftAppliedIndex, errors, dbSizeInUse, isLearner } = response;
  return omitEmpty({
    header: header(response.header),
    version,
    dbSize,
    leader,
    raftIndex,
    raftTerm,
    raftAppliedIndex,
    errors,
    dbSizeInUse,
    isLearner,
  });
}

function hashKv({ header: head, hash, compactRevision }: HashKVResponse): GoValue {
  return omitEmpty({ header: header(head), hash, compact_revision: compactRevision });
}
