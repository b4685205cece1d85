/** @module `-w fields`: one `"Name" : value` per line, after the names of etcd's client types. */
import type {
  DeleteRangeResponse,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  ResponseOp,
  StatusResponse,
  TxnResponse,
} from "@conclave/protocol/etcdserverpb";
import { type Event, Event_EventType, type KeyValue } from "@conclave/protocol/mvccpb";
import { formatDuration } from "../go/duration.ts";
import { quoteBytes, quoteText } from "../go/quote.ts";
import { alarmName } from "./alarm-name.ts";
import type { EndpointAnswer, Formatter } from "./answers.ts";
import { unsupported } from "./unsupported.ts";

type Field = readonly [name: string, value: string | number | bigint | boolean];

/** Makes the formatter of `-w fields`. */
export function createFieldsFormatter(): Formatter {
  return {
    put: (response) => lines(put(response)),
    get: (response) => lines(range(response)),
    del: (response) => lines(deleteRange(response)),
    txn: (response) => lines(txn(response)),
    watch: ({ header: head, events }) => lines([...header(head), ...events.flatMap(event)]),
    leaseGrant: ({ header: head, ID, TTL }) => lines([...header(head), ["ID", ID], ["TTL", TTL]]),
    leaseRevoke: ({ response }) => lines(header(response.header)),
    leaseKeepAlive: ({ header: head, ID, TTL }) => lines([...header(head), ["ID", ID], ["TTL", TTL]]),
    leaseTimeToLive: ({ response: { header: head, ID, TTL, grantedTTL, keys } }) =>
      lines([
        ...header(head),
        ["ID", ID],
        ["TTL", TTL],
        ["GrantedTTL", grantedTTL],
        ...keys.map((key): Field => ["Key", quoteBytes(key)]),
      ]),
    leaseList: ({ header: head, leases }) => lines([...header(head), ...leases.map(({ ID }): Field => ["ID", ID])]),
    memberList: ({ header: head, members }) =>
      lines(header(head)) +
      members
        .map(({ ID, name, peerURLs, clientURLs, isLearner }) =>
          block([
            ["ID", ID],
            ["Name", quoteText(name)],
            ...peerURLs.map((url): Field => ["PeerURL", quoteText(url)]),
            ...clientURLs.map((url): Field => ["ClientURL", quoteText(url)]),
            ["IsLearner", isLearner],
          ]),
        )
        .join(""),
    memberAdd: unsupported("fields"),
    memberRemove: unsupported("fields"),
    memberUpdate: unsupported("fields"),
    memberPromote: unsupported("fields"),
    alarm: ({ header: head, alarms }) =>
      lines(head === undefined ? [] : header(head)) +
      alarms
        .map(({ memberID, alarm }) =>
          block([
            ["MemberID", memberID],
            ["AlarmType", alarmName(alarm)],
          ]),
        )
        .join(""),
    snapshotStatus: ({ hash, revision, totalKeys, sizeBytes }) =>
      lines([
        ["Hash", hash],
        ["Revision", revision],
        ["Keys", totalKeys],
        ["Size", sizeBytes],
      ]),
    ...endpointFields,
    downgrade: ({ response }) => lines([...header(response.header), ["Version", quoteText(response.version)]]),
    ...authFields,
  };
}

/** Members, each asked for itself. */
const endpointFields: Pick<Formatter, "endpointStatus" | "endpointHealth" | "endpointHashKv"> = {
  endpointStatus: (list) => list.map(status).join(""),
  endpointHealth: (list) =>
    list
      .map(({ endpoint, tookMs, error }) =>
        block([
          ["Endpoint", quoteText(endpoint)],
          ["Health", error === undefined],
          ["Took", formatDuration(tookMs)],
          ["Error", error ?? ""],
        ]),
      )
      .join(""),
  endpointHashKv: (list) =>
    list
      .map(({ endpoint, response }) =>
        block([...header(response.header), ["Endpoint", quoteText(endpoint)], ["Hash", response.hash]]),
      )
      .join(""),
};

/** Users and roles. */
const authFields: Pick<Formatter, "authChange" | "authStatus" | "userGet" | "userList" | "roleGet" | "roleList"> = {
  authChange: ({ response }) => lines(header(response.header)),
  authStatus: ({ header: head, enabled, authRevision }) =>
    lines([...header(head), ["Enabled", enabled], ["AuthRevision", authRevision]]),
  userGet: ({ response: { header: head, roles } }) => lines(header(head)) + names("Roles", roles),
  userList: ({ header: head, users }) => lines(header(head)) + names("Users", users),
  roleGet: ({ response: { header: head, perm } }) =>
    lines([
      ...header(head),
      ...perm.flatMap(({ permType, key, rangeEnd }): Field[] => [
        // With a second space, as etcdctl has it.
        ["PermType", ` ${permissionNames[permType] ?? permType}`],
        ["Key", quoteBytes(key)],
        ["RangeEnd", quoteBytes(rangeEnd)],
      ]),
    ]),
  roleList: ({ header: head, roles }) => lines(header(head)) + names("Roles", roles),
};

const permissionNames = ["READ", "WRITE", "READWRITE"];

function names(label: string, list: readonly string[]): string {
  return `"${label}" :${list.map((name) => ` ${quoteText(name)}`).join("")}\n`;
}

function lines(fields: readonly Field[]): string {
  return fields.map(([name, value]) => `"${name}" : ${value}\n`).join("");
}

function status({ endpoint, response }: EndpointAnswer<StatusResponse>): string {
  return block([
    ...header(response.header),
    ["Version", quoteText(response.version)],
    ["DBSize", response.dbSize],
    ["Leader", response.leader],
    ["IsLearner", response.isLearner],
    ["RaftIndex", response.raftIndex],
    ["RaftTerm", response.raftTerm],
    ["RaftAppliedIndex", response.raftAppliedIndex],
    ["Errors", `[${response.errors.join(" ")}]`],
    ["Endpoint", quoteText(endpoint)],
  ]);
}

/** Fields and an empty line after them. */
function block(fields: readonly Field[]): string {
  return `${lines(fields)}\n`;
}

function header(head: ResponseHeader | undefined): Field[] {
  return [
    ["ClusterID", head?.clusterId ?? 0n],
    ["MemberID", head?.memberId ?? 0n],
    ["Revision", head?.revision ?? 0],
    ["RaftTerm", head?.raftTerm ?? 0],
  ];
}

function keyValue(prefix: "" | "Prev", kv: KeyValue | undefined): Field[] {
  if (kv === undefined) return [];
  return [
    [`${prefix}Key`, quoteBytes(kv.key)],
    [`${prefix}CreateRevision`, kv.createRevision],
    [`${prefix}ModRevision`, kv.modRevision],
    [`${prefix}Version`, kv.version],
    [`${prefix}Value`, quoteBytes(kv.value)],
    [`${prefix}Lease`, kv.lease],
  ];
}

function event({ type, kv, prevKv }: Event): Field[] {
  const name = type === Event_EventType.DELETE ? "DELETE" : "PUT";
  return [["Type", name], ...keyValue("Prev", prevKv), ...keyValue("", kv)];
}

function put(response: PutResponse): Field[] {
  return [...header(response.header), ...keyValue("Prev", response.prevKv)];
}

function range({ header: head, kvs, more, count }: RangeResponse): Field[] {
  return [...header(head), ...kvs.flatMap((kv) => keyValue("", kv)), ["More", more], ["Count", count]];
}

function deleteRange({ header: head, deleted, prevKvs }: DeleteRangeResponse): Field[] {
  return [...header(head), ["Deleted", deleted], ...prevKvs.flatMap((kv) => keyValue("Prev", kv))];
}

function txn({ header: head, succeeded, responses }: TxnResponse): Field[] {
  return [...header(head), ["Succeeded", succeeded], ...responses.flatMap(operation)];
}

function operation({ response }: ResponseOp): Field[] {
  switch (response?.$case) {
    case "responsePut":
      return put(response.value);
    case "responseRange":
      return range(response.value);
    case "responseDeleteRange":
      return deleteRange(response.value);
    case "responseTxn":
      return txn(response.value);
    case undefined:
      return [];
  }
}
