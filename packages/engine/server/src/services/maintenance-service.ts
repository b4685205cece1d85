import { saturate } from "@conclave/mvcc";
import { GrpcStatus, WireError } from "@conclave/protocol";
import {
  type AlarmMember,
  type AlarmRequest,
  type AlarmResponse,
  AlarmType,
  type DefragmentResponse,
  type DowngradeRequest,
  type DowngradeResponse,
  type HashKVRequest,
  type HashKVResponse,
  type HashResponse,
  type MoveLeaderRequest,
  type MoveLeaderResponse,
  type SnapshotRequest,
  type SnapshotResponse,
  type StatusResponse,
} from "@conclave/protocol/etcdserverpb";
import { type ResponseStream, RpcError, type ServerCall } from "@conclave/rpc";
import type { Member } from "../member.ts";
import { downgrade } from "../membership/downgrade.ts";
import { SnapshotStreamer } from "../snapshot/snapshot-stream.ts";
import { etcdApiVersion } from "../version.ts";

const alarmNames = new Map<AlarmType, string>(Object.entries(AlarmType).map(([name, type]) => [type, name]));

function alarmText({ memberID, alarm }: AlarmMember): string {
  return `memberID:${memberID} alarm:${alarmNames.get(alarm)} `;
}

/** The Maintenance service of one member. Unlike the others it speaks of this member, not of the cluster. */
export class MaintenanceService {
  readonly #member: Member;
  readonly #quotaBytes: number;
  readonly #snapshots: SnapshotStreamer;

  constructor(member: Member, quotaBytes: number) {
    this.#member = member;
    const { clock, scheduler, log } = member.ports;
    const exportDatabase = (signal: AbortSignal) => member.exportDatabase(signal);
    this.#snapshots = new SnapshotStreamer({ clock, scheduler, log, exportDatabase });
    this.#quotaBytes = quotaBytes;
  }

  alarm(request: AlarmRequest): Promise<AlarmResponse> {
    return this.#member.propose("alarm", request);
  }

  async status(): Promise<StatusResponse> {
    const { backend, membership, alarms, leader, raftStatus } = this.#member;
    const { totalBytes, inUseBytes } = backend.size();
    const { downgradeTarget } = membership;
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
      downgradeInfo: { enabled: downgradeTarget !== undefined, targetVersion: downgradeTarget ?? "" },
    };
  }

  downgrade(request: DowngradeRequest): Promise<DowngradeResponse> {
    return downgrade(this.#member, request);
  }

  async defragment(): Promise<DefragmentResponse> {
    await this.#member.flush();
    await this.#member.backend.defragment();
    return { header: undefined };
  }

  async hash(): Promise<HashResponse> {
    const { clock } = this.#member.ports;
    const startMs = clock.monotonicMs();
    const hash = await this.#member.inSlices(() => this.#member.store.hash());
    this.#member.hashTimes.whole.observe((clock.monotonicMs() - startMs) / 1000);
    return { header: this.#member.header(), hash };
  }

  /** Of what this member has: members are compared by it, whether they have a leader or not. */
  hashKV(request: HashKVRequest): Promise<HashKVResponse> {
    return this.#member.hashKv(saturate(request.revision));
  }

  /** The state of this member, whether it has a leader or not. */
  snapshot(_: SnapshotRequest, responses: ResponseStream<SnapshotResponse>, call: ServerCall): Promise<void> {
    return this.#snapshots.send(responses, call.signal);
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
