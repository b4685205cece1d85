/**
 * @module Looks for members whose histories have come to differ, though they applied the same log: bits rot, disks
 * lie, and bugs exist. Nothing mends that but a new copy of the data, so what is found is told: a member that starts
 * refuses to, and of a running one the alarm CORRUPT is raised, under which nothing is written any more.
 */
import type { KvHash } from "@conclave/mvcc";
import type { PeerCalls } from "@conclave/peer";
import { WireError } from "@conclave/protocol";
import {
  AlarmRequest_AlarmAction as AlarmAction,
  AlarmType,
  type HashKVResponse,
} from "@conclave/protocol/etcdserverpb";
import { formatId } from "../consensus/ids.ts";
import type { Log } from "../log.ts";
import type { Member } from "../member.ts";
import { MemberError } from "../member-error.ts";
import type { ClusterMember } from "../membership/membership.ts";
import { askHashes, type PeerHash } from "./peer-hashes.ts";
import { compactionVerdict, differingPeers, type Finding, type OwnHash, periodicFinding } from "./verdicts.ts";

/** What the checker looks at and tells. */
export interface CorruptionCheckerPorts {
  /** This member. */
  readonly memberId: bigint;
  /** Its cluster. */
  readonly clusterId: bigint;
  /** Whether this member leads and has applied all that was committed before its term. */
  readonly isLeader: () => boolean;
  /** The other members, learners included. */
  readonly others: () => readonly ClusterMember[];
  /** The hash of this member's history up to now. */
  readonly hash: () => Promise<HashKVResponse>;
  /** What the last compactions left, the oldest first. */
  readonly compactionHashes: () => readonly KvHash[];
  /** Waits until a quorum has confirmed that this member leads and all that it committed is applied here. */
  readonly linearizable: () => Promise<void>;
  /** The way to the other members. */
  readonly peers: Pick<PeerCalls, "hashKv">;
  /** After how many milliseconds a member's answer is not waited for any more. */
  readonly timeoutMs: number;
  /** Raises the alarm CORRUPT for a member, or for the whole cluster as member 0. */
  readonly raise: (memberId: bigint) => Promise<unknown>;
  readonly log: Log;
}

/** Compares the histories of the members of a cluster. */
export class CorruptionChecker {
  readonly #ports: CorruptionCheckerPorts;
  #latestCheckedCompaction = 0;
  #checking = false;

  constructor(ports: CorruptionCheckerPorts) {
    this.#ports = ports;
  }

  /**
   * Compares what this member has, before it takes part in anything, with what the others have at its revision. Who
   * cannot be asked, has compacted the revision or is behind it, is passed over.
   *
   * @throws MemberError `CORRUPT` if another member's history differs
   */
  async checkInitially(): Promise<void> {
    const { memberId, log } = this.#ports;
    const own = await this.#ownHash();
    const peers = await this.#ask(own.hashRevision);
    this.#tellSkipped(own, peers);
    const differing = differingPeers(own, peers);
    if (differing.length > 0) throw corrupt(memberId, own, differing);
    log.info("the history is that of the other members", { revision: own.hashRevision, "peers-asked": peers.length });
  }

  /** As leader, compares the histories of all members up to now, and raises the alarm for one that is wrong. */
  checkPeriodically(): Promise<void> {
    return this.#asLeader(async () => {
      const before = await this.#ownHash();
      const peers = await this.#ask(before.hashRevision);
      await this.#ports.linearizable();
      const after = await this.#ownHash();
      this.#tellSkipped(before, peers);
      const finding = periodicFinding({ leaderId: this.#ports.memberId, before, after, peers });
      if (finding !== undefined) await this.#raise(finding);
    });
  }

  /**
   * As leader, compares what the newest compaction left that all members can tell of, and raises the alarm for those
   * that are not with the majority.
   */
  checkCompactions(): Promise<void> {
    return this.#asLeader(async () => {
      for (const own of this.#uncheckedCompactions()) {
        const peers = await this.#ask(own.hashRevision);
        if (peers.length === 0) continue;
        const { settled, findings } = compactionVerdict(this.#ports.memberId, own, peers);
        for (const finding of findings) await this.#raise(finding);
        if (!settled) continue;
        this.#latestCheckedCompaction = own.hashRevision;
        return;
      }
    });
  }

  /** Looks once, if this member leads and no other look goes on. Never rejects: the next look is another attempt. */
  async #asLeader(check: () => Promise<void>): Promise<void> {
    if (this.#checking || !this.#ports.isLeader()) return;
    this.#checking = true;
    try {
      await check();
    } catch (error) {
      this.#ports.log.warn("the members' histories were not compared", { error: String(error) });
    } finally {
      this.#checking = false;
    }
  }

  /** The newest first. */
  #uncheckedCompactions(): readonly KvHash[] {
    const all = this.#ports.compactionHashes();
    return all.filter(({ hashRevision }) => hashRevision > this.#latestCheckedCompaction).reverse();
  }

  async #ownHash(): Promise<OwnHash> {
    const { header, hash, compactRevision, hashRevision } = await this.#ports.hash();
    return { hash, compactRevision, hashRevision, currentRevision: header?.revision ?? hashRevision };
  }

  #ask(revision: number): Promise<readonly PeerHash[]> {
    const { others, peers, clusterId, timeoutMs } = this.#ports;
    return askHashes(revision, { members: others(), peers, clusterId, timeoutMs });
  }

  #tellSkipped(own: KvHash, peers: readonly PeerHash[]): void {
    for (const { id, response, error } of peers) {
      if (response?.compactRevision === own.compactRevision) continue;
      const reason = response === undefined ? reasonOf(error) : "it has compacted up to another revision";
      const fields = { peer: formatId(id), revision: own.hashRevision, reason };
      this.#ports.log.warn("a member's history cannot be compared", fields);
    }
  }

  async #raise({ memberId, reason }: Finding): Promise<void> {
    this.#ports.log.error("members' histories differ", { "corrupt-member-id": formatId(memberId), reason });
    await this.#ports.raise(memberId);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof WireError && error.code === "FutureRev") return "it is behind";
  if (error instanceof WireError && error.code === "Compacted") return "it has compacted the revision";
  return error instanceof Error ? error.message : String(error);
}

function corrupt(memberId: bigint, own: OwnHash, differing: readonly bigint[]): MemberError {
  const peers = differing.map(formatId).join(", ");
  return new MemberError(
    "CORRUPT",
    `Cannot start as the data of member ${formatId(memberId)} up to revision ${own.hashRevision} differs from that of ${peers}: remove this member, delete its data directory and add it anew`,
  );
}

/** Creates the checker of a member. */
export function createCorruptionChecker(member: Member): CorruptionChecker {
  const { id: memberId, clusterId, ports } = member;
  return new CorruptionChecker({
    memberId,
    clusterId,
    isLeader: () => member.isConfirmedLeader,
    others: () => member.membership.members().filter(({ id }) => id !== memberId),
    hash: () => member.hashKv(0),
    compactionHashes: () => member.store.compactionHashes(),
    linearizable: () => member.linearizable(),
    peers: ports.peers,
    timeoutMs: member.requestTimeoutMs,
    raise: async (memberID) => {
      if (member.alarms.list(AlarmType.CORRUPT).some((alarm) => alarm.memberID === memberID)) return;
      await member.propose("alarm", { action: AlarmAction.ACTIVATE, memberID, alarm: AlarmType.CORRUPT });
    },
    log: ports.log,
  });
}
