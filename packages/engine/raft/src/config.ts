import type { Random } from "@conclave/base";
import type { LogStorage } from "./storage.ts";

/** What a `RawNode` is made of. */
export interface RaftConfig {
  /** The member's id, not 0n. */
  readonly id: bigint;
  /**
   * After how many ticks without a word from a leader a follower campaigns, at least twice `heartbeatTicks`. The
   * time is drawn anew from `[electionTicks, 2 * electionTicks)` for each election, so that votes rarely split.
   */
  readonly electionTicks: number;
  /** How many ticks lie between two heartbeats, at least 1. */
  readonly heartbeatTicks: number;
  /** The stable log. */
  readonly storage: LogStorage;
  /** Draws the election timeouts. */
  readonly random: Pick<Random, "below">;
  /**
   * The index the state machine has applied when the node is created; entries after it are handed out once they are
   * known to be committed. The storage's `confState` is the membership at that index. Default: the last index that
   * the log has compacted, in other words that of its snapshot.
   */
  readonly applied?: number;
  /**
   * Whether a member asks if it could win before it campaigns and so unsettles a leader (thesis §9.6). Default true.
   */
  readonly preVote?: boolean;
  /**
   * Whether a leader that hears no quorum for an election timeout steps down, and members that hear a leader refuse
   * to vote (thesis §6.2, §4.2.3). Default true.
   */
  readonly checkQuorum?: boolean;
  /** Whether a follower passes proposals on to the leader. Default true. */
  readonly forwardProposals?: boolean;
  /** Bytes of entries in one append; a larger entry travels alone. Default 1 MiB, as in etcd. */
  readonly maxMessageBytes?: number;
  /** Bytes of committed entries in one `Ready`, to bound how long applying takes. Default 1 MiB. */
  readonly maxCommittedBytes?: number;
  /** Bytes of one command; a larger proposal is dropped. Default 64 MiB; servers set less at their door. */
  readonly maxProposalBytes?: number;
  /** Bytes of commands that a leader holds uncommitted; beyond it proposals are dropped. Default 256 MiB. */
  readonly maxUncommittedBytes?: number;
  /** Appends in flight to one follower, at least 1. Default 512, as in etcd. */
  readonly maxInflightMessages?: number;
  /** Bytes of commands in flight to one follower; the append that crosses it is still sent. Default 64 MiB. */
  readonly maxInflightBytes?: number;
  /** Reads that wait for a leader's confirmation; beyond it they are dropped. Default 65536. */
  readonly maxPendingReads?: number;
}

/** A {@link RaftConfig} with its defaults filled in. */
export type ResolvedRaftConfig = Required<Omit<RaftConfig, "applied">>;

const mebibyte = 1024 * 1024;

const minimums = {
  electionTicks: 2,
  heartbeatTicks: 1,
  maxMessageBytes: 1,
  maxCommittedBytes: 1,
  maxProposalBytes: 1,
  maxUncommittedBytes: 1,
  maxInflightMessages: 1,
  maxInflightBytes: 1,
  maxPendingReads: 1,
} as const satisfies Partial<Record<keyof RaftConfig, number>>;

/**
 * Checks a configuration and fills in its defaults.
 *
 * @throws RangeError if a value is out of its bounds
 */
export function resolveConfig(config: RaftConfig): ResolvedRaftConfig {
  const resolved = withDefaults(config);
  if (resolved.id <= 0n || BigInt.asUintN(64, resolved.id) !== resolved.id)
    throw new RangeError(`Cannot create a node as 'id' must be between 1 and 2^64-1: current value is ${resolved.id}`);
  for (const [name, minimum] of Object.entries(minimums)) {
    const value = resolved[name as keyof typeof minimums];
    // Infinity is allowed where a bound can be lifted: it is no integer, but larger than any.
    if (value === Number.POSITIVE_INFINITY && name.startsWith("max")) continue;
    if (!Number.isSafeInteger(value) || value < minimum)
      throw new RangeError(
        `Cannot create a node as '${name}' must be an integer of at least ${minimum}: current value is ${value}`,
      );
  }
  if (resolved.electionTicks < 2 * resolved.heartbeatTicks)
    throw new RangeError(
      `Cannot create a node as 'electionTicks' must be at least twice 'heartbeatTicks' (${resolved.heartbeatTicks}): current value is ${resolved.electionTicks}`,
    );
  return resolved;
}

function withDefaults(config: RaftConfig): ResolvedRaftConfig {
  return {
    id: config.id,
    electionTicks: config.electionTicks,
    heartbeatTicks: config.heartbeatTicks,
    storage: config.storage,
    random: config.random,
    preVote: config.preVote ?? true,
    checkQuorum: config.checkQuorum ?? true,
    forwardProposals: config.forwardProposals ?? true,
    maxMessageBytes: config.maxMessageBytes ?? mebibyte,
    maxCommittedBytes: config.maxCommittedBytes ?? mebibyte,
    maxProposalBytes: config.maxProposalBytes ?? 64 * mebibyte,
    maxUncommittedBytes: config.maxUncommittedBytes ?? 256 * mebibyte,
    maxInflightMessages: config.maxInflightMessages ?? 512,
    maxInflightBytes: config.maxInflightBytes ?? 64 * mebibyte,
    maxPendingReads: config.maxPendingReads ?? 65_536,
  };
}
