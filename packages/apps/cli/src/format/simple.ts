/** @module `-w simple`: keys and values on lines of their own, as raw bytes. */
import { concatBytes, utf8 } from "@conclave/base";
import type {
  DeleteRangeResponse,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  ResponseOp,
  TxnResponse,
} from "@conclave/protocol/etcdserverpb";
import { type Event, Event_EventType, type KeyValue } from "@conclave/protocol/mvccpb";
import { formatDuration } from "../go/duration.ts";
import { hex16 } from "../go/integers.ts";
import { hexEscapes } from "../go/quote.ts";
import { alarmName } from "./alarm-name.ts";
import type { EndpointHealth, Formatter, TimeToLiveAnswer } from "./answers.ts";
import { permissionLines } from "./permission-lines.ts";
import { hashKvRows, memberRows, snapshotRows, statusRows } from "./rows.ts";

/** How `-w simple` shows things. */
export interface SimpleOptions {
  /** Show keys and values as `\x66\x6f\x6f`. */
  readonly hex: boolean;
  /** Leave the keys out where whole records are shown. */
  readonly valueOnly: boolean;
}

/** Makes the formatter of `-w simple`. */
export function createSimpleFormatter(options: SimpleOptions): Formatter {
  const records = new Records(options);
  return {
    put: (response) => records.put(response),
    get: (response) => records.range(response),
    del: (response) => records.deleteRange(response),
    txn: (response) => records.txn(response),
    watch: ({ events }) => concatBytes(events.map((event) => records.event(event))),
    leaseGrant: ({ ID, TTL }) => `lease ${hex16(ID)} granted with TTL(${TTL}s)\n`,
    leaseRevoke: ({ id }) => `lease ${hex16(id)} revoked\n`,
    leaseKeepAlive: ({ ID, TTL }) => `lease ${hex16(ID)} keepalived with TTL(${TTL})\n`,
    leaseTimeToLive: (answer) => records.timeToLive(answer),
    leaseList: ({ leases }) =>
      [`found ${leases.length} leases\n`, ...leases.map(({ ID }) => `${hex16(ID)}\n`)].join(""),
    memberList: ({ members }) => commaSeparated(memberRows(members)),
    memberAdd: ({ header, member }) => memberChange(member?.ID ?? 0n, "added to", header),
    memberRemove: ({ id, response }) => memberChange(id, "removed from", response.header),
    memberUpdate: ({ id, response }) => memberChange(id, "updated in", response.header),
    memberPromote: ({ id, response }) => memberChange(id, "promoted in", response.header),
    alarm: ({ alarms }) => alarms.map(({ memberID, alarm }) => `${alarmText(memberID, alarm)}\n`).join(""),
    endpointStatus: (list) => commaSeparated(statusRows(list)),
    endpointHealth: (list) => list.map((health) => `${healthText(health)}\n`).join(""),
    endpointHashKv: (list) => commaSeparated(hashKvRows(list)),
    snapshotStatus: (status) => commaSeparated(snapshotRows(status)),
    downgrade: ({ done, response }) => `Downgrade ${done} success, cluster version ${response.version}\n`,
    authChange: ({ text }) => `${text}\n`,
    authStatus: ({ enabled, authRevision }) => `Authentication Status: ${enabled}\nAuthRevision: ${authRevision}\n`,
    userGet: ({ name, response: { roles } }) => `User: ${name}\n${["Roles:", ...roles].join(" ")}\n`,
    userList: ({ users }) => users.map((name) => `${name}\n`).join(""),
    roleGet: permissionLines,
    roleList: ({ roles }) => roles.map((name) => `${name}\n`).join(""),
  };
}

function commaSeparated(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.join(", ")}\n`).join("");
}

function memberChange(id: bigint, change: string, header: ResponseHeader | undefined): string {
  return `Member ${hexId(id)} ${change} cluster ${hexId(header?.clusterId ?? 0n)}\n`;
}

function hexId(id: bigint): string {
  return id.toString(16).padStart(16, " ");
}

/** In the text form of protocol buffers, which ends each field with a space and leaves zeros out. */
function alarmText(memberId: bigint, alarm: number): string {
  return `${memberId === 0n ? "" : `memberID:${memberId} `}${alarm === 0 ? "" : `alarm:${alarmName(alarm)} `}`;
}

function healthText({ endpoint, tookMs, error }: EndpointHealth): string {
  return error === undefined
    ? `${endpoint} is healthy: successfully committed proposal: took = ${formatDuration(tookMs)}`
    : `${endpoint} is unhealthy: failed to commit proposal: ${error}`;
}

/** Writes what holds keys and values. */
class Records {
  readonly #options: SimpleOptions;

  constructor(options: SimpleOptions) {
    this.#options = options;
  }

  put({ prevKv }: PutResponse): Uint8Array {
    return concatBytes([utf8("OK\n"), ...(prevKv === undefined ? [] : [this.#keyValue(prevKv)])]);
  }

  range({ kvs }: RangeResponse): Uint8Array {
    return concatBytes(kvs.map((kv) => (this.#options.valueOnly ? this.#line(kv.value) : this.#keyValue(kv))));
  }

  deleteRange({ deleted, prevKvs }: DeleteRangeResponse): Uint8Array {
    return concatBytes([utf8(`${deleted}\n`), ...prevKvs.map((kv) => this.#keyValue(kv))]);
  }

  txn({ succeeded, responses }: TxnResponse): Uint8Array {
    const results = responses.flatMap((operation) => [utf8("\n"), this.#operation(operation)]);
    return concatBytes([utf8(succeeded ? "SUCCESS\n" : "FAILURE\n"), ...results]);
  }

  event({ type, kv, prevKv }: Event): Uint8Array {
    return concatBytes([
      utf8(type === Event_EventType.DELETE ? "DELETE\n" : "PUT\n"),
      ...(prevKv === undefined ? [] : [this.#keyValue(prevKv)]),
      ...(kv === undefined ? [] : [this.#keyValue(kv)]),
    ]);
  }

  timeToLive({ response: { ID, TTL, grantedTTL, keys }, keys: keysWanted }: TimeToLiveAnswer): Uint8Array {
    if (grantedTTL === 0 && TTL === -1) return utf8(`lease ${hex16(ID)} already expired\n`);
    const spaced = keys.flatMap((key, at) => (at === 0 ? [key] : [utf8(" "), key]));
    return concatBytes([
      utf8(`lease ${hex16(ID)} granted with TTL(${grantedTTL}s), remaining(${TTL}s)`),
      ...(keysWanted ? [utf8(", attached keys(["), ...spaced, utf8("])")] : []),
      utf8("\n"),
    ]);
  }

  #operation({ response }: ResponseOp): Uint8Array {
    switch (response?.$case) {
      case "responsePut":
        return this.put(response.value);
      case "responseRange":
        return this.range(response.value);
      case "responseDeleteRange":
        return this.deleteRange(response.value);
      case "responseTxn":
        return this.txn(response.value);
      case undefined:
        return utf8("");
    }
  }

  #keyValue({ key, value }: KeyValue): Uint8Array {
    return concatBytes([this.#line(key), this.#line(value)]);
  }

  #line(bytes: Uint8Array): Uint8Array {
    return concatBytes([this.#options.hex ? utf8(hexEscapes(bytes)) : bytes, utf8("\n")]);
  }
}
