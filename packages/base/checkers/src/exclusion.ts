/**
 * @module Does a lock exclude? Two things are held against each other: when each client believed that it held the lock,
 * and what was written under it. Belief can be wrong for a moment, as when a process is stopped between looking and
 * acting; a write that carries the fence of its holder must then fail, so no accepted write may be of an older holder
 * than one before it.
 */
import { Findings, type Verdict } from "./verdict.ts";

/** What {@link checkExclusion} can find broken. */
export type ExclusionRule =
  /** Two holders believed to hold at the same time. */
  | "overlap"
  /** A holder got a fence that is not higher than that of a holder before it. */
  | "fence"
  /** A guarded write was accepted after one of a newer fence. */
  | "stale-write"
  /** A guarded write was accepted with a fence that nobody had, or not its writer. */
  | "stranger"
  /** A guarded write was accepted before its fence was given. */
  | "early-write";

/** A time in which a client believed to hold a lock. */
export interface Hold {
  /** Who. */
  readonly holder: string;
  /** The token that orders holders: the create revision of the lock's key. */
  readonly fence: number;
  /** First time at which `held` was true, of one clock for all holders. */
  readonly fromMs: number;
  /** Time from which on `held` was false, exclusive. */
  readonly untilMs: number;
}

/** A write that carried the fence of its holder and was accepted. */
export interface GuardedWrite {
  /** Who wrote. */
  readonly holder: string;
  /** The fence that the write carried. */
  readonly fence: number;
  /** Revision at which it took place. */
  readonly revision: number;
}

/** What {@link checkExclusion} looks at: all of one lock. */
export interface ExclusionInput {
  /** All times in which somebody believed to hold it, in any order. */
  readonly holds: readonly Hold[];
  /** In any order. */
  readonly writes: readonly GuardedWrite[];
  /** By how much two beliefs may overlap, in ms, for clocks that do not run alike; default 0. */
  readonly overlapMsMax?: number;
}

/** Checks that a lock was held by one client at a time, and that only its writes were accepted. */
export function checkExclusion({ holds, writes, overlapMsMax = 0 }: ExclusionInput): Verdict<ExclusionRule> {
  const findings = new Findings<ExclusionRule>();
  checkHolds(holds, overlapMsMax, findings);
  checkWrites(holds, writes, findings);
  return findings.verdict();
}

function checkHolds(holds: readonly Hold[], overlapMsMax: number, findings: Findings<ExclusionRule>): void {
  const ordered = [...holds].sort((left, right) => left.fromMs - right.fromMs);
  let longest: Hold | undefined;
  let newest: Hold | undefined;
  for (const hold of ordered) {
    findings.checked();
    if (longest !== undefined && hold.fromMs + overlapMsMax < longest.untilMs && !isSameHold(hold, longest))
      findings.add("overlap", `${holdText(hold)} while ${holdText(longest)}`);
    if (newest !== undefined && hold.fence <= newest.fence && !isSameHold(hold, newest))
      findings.add("fence", `${holdText(hold)} after ${holdText(newest)}`);
    if (longest === undefined || hold.untilMs > longest.untilMs) longest = hold;
    if (newest === undefined || hold.fence > newest.fence) newest = hold;
  }
}

/** A holder may look away and find that it still holds: two times with one fence. */
function isSameHold(left: Hold, right: Hold): boolean {
  return left.holder === right.holder && left.fence === right.fence;
}

function checkWrites(holds: readonly Hold[], writes: readonly GuardedWrite[], findings: Findings<ExclusionRule>): void {
  const owners = new Map(holds.map(({ fence, holder }) => [fence, holder]));
  let newest: GuardedWrite | undefined;
  for (const write of [...writes].sort((left, right) => left.revision - right.revision)) {
    findings.checked();
    const owner = owners.get(write.fence);
    if (owner !== write.holder)
      findings.add("stranger", `${writeText(write)}, which is the fence of ${owner ?? "nobody"}`);
    if (write.revision <= write.fence) findings.add("early-write", `${writeText(write)}, before it had that fence`);
    if (newest !== undefined && write.fence < newest.fence)
      findings.add("stale-write", `${writeText(write)}, after ${writeText(newest)}`);
    else newest = write;
  }
}

function holdText({ holder, fence, fromMs, untilMs }: Hold): string {
  return `${holder} believed to hold fence ${fence} from ${fromMs} to ${untilMs} ms`;
}

function writeText({ holder, fence, revision }: GuardedWrite): string {
  return `${holder} wrote with fence ${fence} at revision ${revision}`;
}
