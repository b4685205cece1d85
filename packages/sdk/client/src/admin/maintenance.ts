/** @module Looking after members. */
import {
  AlarmRequest_AlarmAction as AlarmAction,
  AlarmType,
  type SnapshotResponse,
  type StatusResponse,
} from "@conclave/protocol/etcdserverpb";
import type { CallOptions } from "../calls/call-scope.ts";
import type { RawServices } from "../calls/raw.ts";
import { headerOf, type ResponseHeader } from "../kv/key-value.ts";

/** A call to one member. */
export interface MemberCallOptions extends CallOptions {
  /** The member to ask, one of the client's endpoints or any other. Default: the one the client talks to. */
  readonly endpoint?: string | undefined;
}

/** How a member does. */
export interface MemberStatus extends Omit<StatusResponse, "header" | "downgradeInfo"> {
  /** Where and when it was answered. */
  readonly header: ResponseHeader;
  /** A downgrade under way, if the member says anything about it. */
  readonly downgradeInfo: StatusResponse["downgradeInfo"];
}

/** The hash of the keys and values of a member. */
export interface HashResult {
  /** Where and when it was answered. */
  readonly header: ResponseHeader;
  /** The hash, 32 bits. */
  readonly hash: number;
}

/** The hash of the history up to a revision. */
export interface HashKvResult extends HashResult {
  /** Where the history begins. */
  readonly compactRevision: number;
  /** Up to which revision it is hashed; 0 from members that do not say it. */
  readonly hashRevision: number;
}

/** What is wrong with a member. */
export interface Alarm {
  /** The member; 0n for all. */
  readonly memberId: bigint;
  /** What is wrong. */
  readonly type: "NONE" | "NOSPACE" | "CORRUPT";
}

/** Which alarm. */
export interface AlarmOptions extends CallOptions {
  /** The member; 0n for all. Default: 0n. */
  readonly memberId?: bigint | undefined;
  /** Which alarm; default: `"NONE"`, which means all. */
  readonly type?: Alarm["type"] | undefined;
}

/** Looking after members. */
export interface Maintenance {
  /** How a member does. */
  status(options?: MemberCallOptions): Promise<MemberStatus>;
  /** The hash of a member's whole store. */
  hash(options?: MemberCallOptions): Promise<HashResult>;
  /** The hash of a member's keys and values up to a revision (0: the present one), the same on all members. */
  hashKv(options?: MemberCallOptions & { readonly revision?: number | undefined }): Promise<HashKvResult>;
  /** The alarms that are on. */
  alarms(options?: CallOptions): Promise<readonly Alarm[]>;
  /** Turns an alarm on. @returns the alarm, or nothing if it was on */
  activateAlarm(options: AlarmOptions): Promise<readonly Alarm[]>;
  /** Turns an alarm off, or all of them if it is not said which. @returns those that were on */
  disarmAlarms(options?: AlarmOptions): Promise<readonly Alarm[]>;
  /** Gives free space in a member's file back to its file system. No time limit by default. */
  defragment(options?: MemberCallOptions): Promise<ResponseHeader>;
  /**
   * A copy of a member's store as a bbolt file followed by its SHA-256: the bytes, in order. Not repeated after a
   * failure. `timeoutMs` bounds the whole; default: no limit.
   */
  snapshot(options?: MemberCallOptions): AsyncIterable<SnapshotResponse>;
  /** Hands leadership over to a member; ask the leader. */
  moveLeader(targetId: bigint, options?: MemberCallOptions): Promise<ResponseHeader>;
}

const alarmNames: readonly Alarm["type"][] = ["NONE", "NOSPACE", "CORRUPT"];

/** Makes the calls. */
export function createMaintenance({ maintenance }: RawServices): Maintenance {
  const alarm = async (
    action: AlarmAction,
    { memberId, type, ...options }: AlarmOptions,
  ): Promise<readonly Alarm[]> => {
    const request = { action, memberID: memberId ?? 0n, alarm: AlarmType[type ?? "NONE"] };
    const { alarms } = await maintenance.alarm(request, { ...options, idempotent: true });
    return alarms.map((member) => ({ memberId: member.memberID, type: alarmNames[member.alarm] ?? "NONE" }));
  };
  /** The protocol has one alarm of one member turned off at a time, and nothing that stands for all. */
  const disarm = async ({ memberId = 0n, type = "NONE", ...options }: AlarmOptions): Promise<readonly Alarm[]> => {
    if (memberId !== 0n || type !== "NONE") return alarm(AlarmAction.DEACTIVATE, { ...options, memberId, type });
    const active = await alarm(AlarmAction.GET, options);
    const off = active.map((one) => alarm(AlarmAction.DEACTIVATE, { ...options, ...one }));
    return (await Promise.all(off)).flat();
  };
  return {
    async status(options) {
      const response = await maintenance.status({}, options);
      return { ...response, header: headerOf(response) };
    },
    async hash(options) {
      const response = await maintenance.hash({}, options);
      return { ...response, header: headerOf(response) };
    },
    async hashKv({ revision = 0, ...options } = {}) {
      const response = await maintenance.hashKV({ revision: BigInt(revision) }, options);
      return { ...response, header: headerOf(response) };
    },
    alarms: (options = {}) => alarm(AlarmAction.GET, options),
    activateAlarm: (options) => alarm(AlarmAction.ACTIVATE, options),
    disarmAlarms: (options = {}) => disarm(options),
    defragment: async (options) => headerOf(await maintenance.defragment({}, options)),
    snapshot: (options) => maintenance.snapshot({}, { requireLeader: false, ...options }),
    moveLeader: async (targetId, options) => headerOf(await maintenance.moveLeader({ targetID: targetId }, options)),
  };
}
