import { saturate } from "@conclave/mvcc";
import { GrpcStatus, WireError } from "@conclave/protocol";
import {
  type AlarmMember,
  type AlarmRequest,
  type AlarmResponse,
  AlarmType,
  type DefragmentResponse,
  type HashKVRequest,
  type HashKVResponse,
  type HashResponse,
  type MoveLeaderRequest,
  type MoveLeaderResponse,
  type StatusResponse,
} from "@conclave/protocol/etcdserverpb";
import { RpcError, unimplemented } from "@conclave/rpc";
import type { Member } from "../member.ts";
import { etcdApiVersion } from "../version.ts";

const alarmNames = new Map<AlarmType, string>(Object.entries(AlarmType).map(([name, type]) => [type, name]));

function alarmText({ memberID, alarm }: AlarmMember): string {
  return `memberID:${memberID} alarm:${alarmNames.get(alarm)} `;
}

/** The Maintenance service of one member. Unlike the others it speaks of this member, not of the cluster. */
export class MaintenanceService {
  readonly snapshot: typeof unimplemented = unimplemented;
  readonly downgrade: typeof unimplemented = unimplemented;
  readonly #member: Member;
  readonly #quotaBytes: number;

  constructor(member: Member, quotaBytes: number) {
    this.#member = member;
    this.#quotaBytes = quotaBytes;
  }

  alarm(request: AlarmRequest): Promise<AlarmResponse> {
    return this.#member.propose("alarm", request);
  }

  async status(): Promise<StatusResponse> {
    const { backend, membership, alarms, leader, raftStatus } = this.#member;
    const { totalBytes, inUseBytes } = backend.size();
    return {
      header: this.#member.header(),
      version: etcdApiVersion,
      dbSize: totalBytes,
      leader,
      raftIndex: raftStatus.commit,
      raftTerm: raftStatus.term,
      raftAppliedIndex: raftStatus.applied,
      errors: [...(leader === 0n ? ["etcdserver: no leader"] : []), ...alarms.list().map(alarmText)],
      dbSizeInUse: inUseBytes,
      isLearner: membership.member(this.#member.id)?.isLearner ?? false,
      storageVersion: etcdApiVersion,
      dbSizeQuota: Number.isFinite(this.#quotaBytes) ? this.#quotaBytes : 0,
      downgradeInfo: undefined,
    };
  }

  async defragment(): Promise<DefragmentResponse> {
    await this.#member.flush();
    await this.#member.backend.defragment();
    return { header: undefined };
  }

  async hash(): Promise<HashResponse> {
    const hash = await this.#member.inSlices(() => this.#member.store.hash());
    return { header: this.#member.header(), hash };
  }

  /** Of what this member has: members are compared by it, whether they have a leader or not. */
  hashKV(request: HashKVRequest): Promise<HashKVResponse> {
    return this.#member.hashKv(saturate(request.revision));
  }

  async moveLeader({ targetID }: MoveLeaderRequest): Promise<MoveLeaderResponse> {
    const { id, leader, membership, requestTimeoutMs } = this.#member;
    if (leader !== id) throw new WireError("NotLeader");
    const target = membership.member(targetID);
    if (target === undefined || target.isLearner) throw new WireError("BadLeaderTransferee");
    await this.#member.transferLeadership(targetID, requestTimeoutMs).catch((error: unknown) => {
      if (!(error instanceof WireError) || error.code !== "Timeout") throw error;
      throw new RpcError(GrpcStatus.Unknown, "etcdserver: request timed out, leader transfer took too long");
    });
    return { header: undefined };
  }
}
