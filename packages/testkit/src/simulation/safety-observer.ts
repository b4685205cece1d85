/**
 * @module The safety properties of Raft (paper figure 3), held against a cluster from the outside: what its members say
 * to each other, and what they have applied.
 *
 * - Election Safety: at most one leader in a term, and one vote of each member in a term, crashes or not.
 * - Log Matching: index and term of an entry determine the entry and the one before it.
 * - Leader Completeness: what was committed is what every later leader sends.
 * - Commitment (§5.4.2): a leader finds out by an entry of its own term what is committed.
 * - State Machine Safety: members that have applied as much have come to the same revision.
 */
import type { Entry, Message } from "@conclave/raft";

/** What a member shows of its state. */
export interface ObservedState {
  /** The member. */
  readonly id: bigint;
  /** The highest index that it knows to be committed. */
  readonly commit: number;
  /** Index of the last entry it has applied. */
  readonly applied: number;
  /** What it has come to by that. */
  readonly revision: number;
}

/** Thrown when a property is broken. */
export class SafetyViolation extends Error {
  override readonly name = "SafetyViolation";
}

interface KnownEntry {
  readonly digest: number;
  readonly previousTerm: number;
}

/** Watches a cluster; each of its methods throws {@link SafetyViolation} once a property is broken. */
export class SafetyObserver {
  readonly #leaders = new Map<number, bigint>();
  readonly #votes = new Map<string, bigint>();
  readonly #terms = new Map<bigint, number>();
  readonly #entries = new Map<string, KnownEntry>();
  /** The terms of the entries that leaders have sent, by the leader's term and the index. */
  readonly #sent = new Map<number, Map<number, number>>();
  /** The terms of committed entries, and of the leaders that said so, by index. */
  readonly #committed = new Map<number, { readonly entryTerm: number; readonly leaderTerm: number }>();
  readonly #revisions = new Map<number, ObservedState>();
  /** Up to where {@link #committed} is filled in. */
  #commit = 0;
  /** The highest index that anybody knows, or has said, to be committed. */
  #knownCommit = 0;

  /** How many entries are known to be committed. */
  get committedEntries(): number {
    return this.#committed.size;
  }

  /** To be called with every message that a member sends. */
  onMessage(message: Message): void {
    switch (message.type) {
      case "MsgApp":
        this.#onLeader(message);
        this.#onAppend(message);
        break;
      case "MsgHeartbeat":
      case "MsgSnap":
        this.#onLeader(message);
        break;
      case "MsgVote":
        this.#onVote(message.from, message.from, message.term);
        break;
      case "MsgVoteResp":
        if (!message.reject) this.#onVote(message.from, message.to, message.term);
        break;
      default:
        break;
    }
  }

  /** To be called now and then with the state of a member. */
  onState(state: ObservedState): void {
    this.#knownCommit = Math.max(this.#knownCommit, state.commit);
    const known = this.#revisions.get(state.applied);
    if (known === undefined) this.#revisions.set(state.applied, state);
    else if (known.revision !== state.revision) {
      throw new SafetyViolation(
        `State Machine Safety: with entries up to ${state.applied} applied, member ${known.id} is at revision ${known.revision} and member ${state.id} at ${state.revision}`,
      );
    }
  }

  #onLeader({ from, term }: Message): void {
    const leader = this.#leaders.get(term);
    if (leader !== undefined && leader !== from)
      throw new SafetyViolation(`Election Safety: ${leader} and ${from} both lead in term ${term}`);
    this.#leaders.set(term, from);
    this.#onTerm(from, term);
  }

  #onVote(voter: bigint, candidate: bigint, term: number): void {
    const name = `${voter}/${term}`;
    const known = this.#votes.get(name);
    if (known !== undefined && known !== candidate)
      throw new SafetyViolation(`Election Safety: ${voter} votes for ${known} and for ${candidate} in term ${term}`);
    this.#votes.set(name, candidate);
    this.#onTerm(voter, term);
  }

  #onTerm(member: bigint, term: number): void {
    const last = this.#terms.get(member) ?? 0;
    if (term < last) throw new SafetyViolation(`Terms go forward: ${member} goes back from term ${last} to ${term}`);
    this.#terms.set(member, term);
  }

  #onAppend(message: Message): void {
    const { from, term, index, logTerm, entries, commit } = message;
    const sent = this.#sent.get(term) ?? new Map<number, number>();
    this.#sent.set(term, sent);
    if (index > 0) this.#onSent(sent, { from, term, index, entryTerm: logTerm });
    let previousTerm = logTerm;
    for (const entry of entries) {
      this.#onEntry(entry, previousTerm);
      this.#onSent(sent, { from, term, index: entry.index, entryTerm: entry.term });
      previousTerm = entry.term;
    }
    this.#onCommit(message, sent.get(commit));
    for (; this.#commit < commit; this.#commit++) {
      const entryTerm = sent.get(this.#commit + 1);
      // What was sent before the run was watched is not known; what comes later still is.
      if (entryTerm !== undefined) this.#committed.set(this.#commit + 1, { entryTerm, leaderTerm: term });
    }
  }

  #onCommit({ from, term, commit }: Message, entryTerm: number | undefined): void {
    // The entries that found a cluster, in term 1, are committed from the start.
    const isOfOtherTerm = entryTerm !== undefined && entryTerm > 1 && entryTerm !== term;
    if (commit > this.#knownCommit && isOfOtherTerm) {
      throw new SafetyViolation(
        `Commitment: ${from}, leader of term ${term}, takes entry ${commit} of term ${entryTerm} for committed`,
      );
    }
    this.#knownCommit = Math.max(this.#knownCommit, commit);
  }

  #onSent(
    sent: Map<number, number>,
    what: { readonly from: bigint; readonly term: number; readonly index: number; readonly entryTerm: number },
  ): void {
    const { from, term, index, entryTerm } = what;
    const before = sent.get(index);
    if (before !== undefined && before !== entryTerm) {
      throw new SafetyViolation(
        `Leader Append-Only: ${from}, leader of term ${term}, sends entry ${index} of term ${before} and of term ${entryTerm}`,
      );
    }
    sent.set(index, entryTerm);
    const committed = this.#committed.get(index);
    // A leader of an earlier term that does not know yet that it was deposed may hold what will be overwritten.
    if (committed !== undefined && term > committed.leaderTerm && committed.entryTerm !== entryTerm) {
      throw new SafetyViolation(
        `Leader Completeness: ${from}, leader of term ${term}, has entry ${index} of term ${entryTerm}, and that of term ${committed.entryTerm} was committed`,
      );
    }
  }

  #onEntry(entry: Entry, previousTerm: number): void {
    const name = `${entry.index}/${entry.term}`;
    const digest = digestOf(entry);
    const known = this.#entries.get(name);
    if (known === undefined) this.#entries.set(name, { digest, previousTerm });
    else if (known.digest !== digest || known.previousTerm !== previousTerm)
      throw new SafetyViolation(`Log Matching: there are two entries ${entry.index} of term ${entry.term}`);
  }
}

/** A number that tells contents apart (FNV-1a). */
function digestOf({ type, data }: Entry): number {
  let digest = 0x811c9dc5 ^ type.length;
  for (const byte of data) digest = Math.imul(digest ^ byte, 0x01000193);
  return digest >>> 0;
}
