/**
 * @module What follows from the hashes of members. Two histories can be compared where they begin at the same
 * compaction and end at the same revision; everything else is no evidence.
 */
import type { KvHash } from "@conclave/mvcc";
import type { PeerHash } from "./peer-hashes.ts";

/** Of a member that is found to differ: which, and what tells it. */
export interface Finding {
  /** The member; 0n if one of several differs and nobody can tell which. */
  readonly memberId: bigint;
  /** What tells it, for the log. */
  readonly reason: string;
}

/** A hash of this member, and how far its history went when it was taken. */
export interface OwnHash extends KvHash {
  /** The newest revision. */
  readonly currentRevision: number;
}

/**
 * The members whose history differs from one that is about to start.
 *
 * @param own - its hash
 * @param peers - theirs, asked for the revision of its own
 */
export function differingPeers(own: KvHash, peers: readonly PeerHash[]): readonly bigint[] {
  const differs = ({ response }: PeerHash): boolean =>
    response !== undefined && response.compactRevision === own.compactRevision && response.hash !== own.hash;
  return peers.filter(differs).map(({ id }) => id);
}

/** What the leader's periodic check looks at. */
export interface PeriodicEvidence {
  /** The leader. */
  readonly leaderId: bigint;
  /** Its hash, at the revision for which the others were asked. */
  readonly before: OwnHash;
  /** Its hash once a quorum has confirmed that it still leads. */
  readonly after: OwnHash;
  /** The others' hashes, taken in between. */
  readonly peers: readonly PeerHash[];
}

/** The first member that is wrong for certain, as seen by the leader; undefined if there is none. */
export function periodicFinding({ leaderId, before, after, peers }: PeriodicEvidence): Finding | undefined {
  const sameHistory = before.hashRevision === after.hashRevision && before.compactRevision === after.compactRevision;
  if (sameHistory && before.hash !== after.hash)
    return { memberId: leaderId, reason: "the leader's own hash of the same history has changed" };
  for (const { id, response } of peers) {
    const reason = response === undefined ? undefined : wrongWith(response, before, after);
    if (reason !== undefined) return { memberId: id, reason };
  }
  return undefined;
}

/** Nobody can be ahead of a leader that was confirmed after it was asked. */
function wrongWith(response: NonNullable<PeerHash["response"]>, before: OwnHash, after: OwnHash): string | undefined {
  if ((response.header?.revision ?? 0) > after.currentRevision) return "it has revisions that the leader does not have";
  if (response.compactRevision > after.compactRevision) return "it has compacted what the leader has not";
  if (response.compactRevision === before.compactRevision && response.hash !== before.hash)
    return "its hash of the same history differs from the leader's";
  return undefined;
}

/** What comparing the hashes of one compaction led to. */
export interface CompactionVerdict {
  /** Whether the compaction is done with: nobody needs to be asked about it again. */
  readonly settled: boolean;
  /** Who differs. */
  readonly findings: readonly Finding[];
}

/**
 * Compares what one compaction left on the leader with what it left on the others. The majority is right; where there
 * is none the whole cluster is suspect, which is told as member 0.
 */
export function compactionVerdict(leaderId: bigint, own: KvHash, peers: readonly PeerHash[]): CompactionVerdict {
  const members = new Map<number, bigint[]>([[own.hash, [leaderId]]]);
  const comparable = peers.filter(({ response }) => response?.compactRevision === own.compactRevision);
  for (const { id, response } of comparable) {
    if (response !== undefined) members.set(response.hash, [...(members.get(response.hash) ?? []), id]);
  }
  if (members.size === 1) return { settled: comparable.length === peers.length, findings: [] };
  const quorum = Math.floor((peers.length + 1) / 2) + 1;
  const majority = [...members].find(([, ids]) => ids.length >= quorum);
  const reason = `the compaction at revision ${own.hashRevision} left different hashes`;
  if (majority === undefined) return { settled: true, findings: [{ memberId: 0n, reason }] };
  const others = [...members].filter(([hash]) => hash !== majority[0]).flatMap(([, ids]) => ids);
  return { settled: true, findings: others.map((memberId) => ({ memberId, reason })) };
}
