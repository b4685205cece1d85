/**
 * @module The safety properties of Raft (paper figure 3), held against a whole cluster from the outside.
 *
 * - Election Safety: at most one leader in a term.
 * - Leader Append-Only: a leader never changes or removes an entry of its log.
 * - Log Matching: index and term of an entry determine the entry and all before it.
 * - Leader Completeness: what was committed is in the log of every later leader.
 * - State Machine Safety: no two members apply different entries at one index.
 * And two that they rest on: what is committed is on the disks of a quorum, and a linearizable read sees all that was
 * committed anywhere when it was asked for.
 */
import { binaryString, invariant } from "@conclave/base";
import type { Ready } from "../ready.ts";
import type { Entry, Snapshot } from "../types.ts";
import type { MemberObserver, SimulatedMember } from "./simulated-member.ts";

type Members = ReadonlyMap<bigint, SimulatedMember>;

interface Known {
  readonly entry: Entry;
  /** The term of the entry before, if it was at hand. */
  readonly previousTerm: number | undefined;
}

function same(left: Entry, right: Entry): boolean {
  return left.term === right.term && left.type === right.type && binaryString(left.data) === binaryString(right.data);
}

/** Watches a cluster. Every method throws when a property is broken. */
export class SafetyChecker implements MemberObserver {
  readonly #leaders = new Map<number, bigint>();
  /** The last entry each leader was seen with, by term. */
  readonly #leaderLogs = new Map<number, Entry>();
  readonly #entries = new Map<string, Known>();
  /** The ends of the logs that were checked last: what has not grown need not be checked again. */
  readonly #checkedLogs = new Map<SimulatedMember, { storage: object; index: number; term: number }>();
  readonly #applied = new Map<number, Entry>();
  readonly #states = new Map<number, number>();
  readonly #reads = new Map<string, number>();
  /** The highest index that some member knew to be committed, and each member's. */
  #committed = 0;
  readonly #commits = new Map<bigint, number>();

  /** Every entry that was applied somewhere, by index. */
  get applied(): ReadonlyMap<number, Entry> {
    return this.#applied;
  }

  /** To be called after each step with the member that made it. */
  check(member: SimulatedMember, members: Members): void {
    if (!member.isUp) {
      this.#commits.delete(member.id);
      return;
    }
    this.#checkLogMatching(member);
    if (member.node.status.role === "leader") this.#checkLeader(member);
    this.#checkCommit(member, members);
  }

  #checkLeader(member: SimulatedMember): void {
    const { term } = member.node.status;
    const known = this.#leaders.get(term);
    invariant(known === undefined || known === member.id, "Election Safety", term, known ?? 0n, member.id);
    if (known === undefined) this.#checkCompleteness(member);
    this.#leaders.set(term, member.id);
    const last = this.#leaderLogs.get(term);
    if (last !== undefined && last.index >= member.storage.firstIndex)
      invariant(member.storage.term(last.index) === last.term, "Leader Append-Only", member.id, last.index);
    const end = member.log.at(-1);
    if (end !== undefined) this.#leaderLogs.set(term, end);
  }

  #checkCompleteness(leader: SimulatedMember): void {
    const { storage, id } = leader;
    for (const [index, entry] of this.#applied)
      if (index >= storage.firstIndex)
        invariant(storage.term(index) === entry.term, "Leader Completeness", id, index, entry.term);
  }

  #checkLogMatching(member: SimulatedMember): void {
    const { storage } = member;
    const last = { storage, index: storage.lastIndex, term: storage.term(storage.lastIndex) ?? 0 };
    const checked = this.#checkedLogs.get(member);
    if (checked?.storage === storage && checked.index === last.index && checked.term === last.term) return;
    this.#checkedLogs.set(member, last);
    for (const entry of member.log) {
      const name = `${entry.index}/${entry.term}`;
      const previousTerm = storage.term(entry.index - 1);
      const known = this.#entries.get(name);
      if (known === undefined) {
        this.#entries.set(name, { entry, previousTerm });
        continue;
      }
      invariant(same(known.entry, entry), "Log Matching", member.id, name);
      invariant(known.previousTerm === previousTerm, "Log Matching of what comes before", member.id, name);
    }
  }

  #checkCommit(member: SimulatedMember, members: Members): void {
    const { commit, role, term } = member.node.status;
    const before = this.#commits.get(member.id) ?? 0;
    invariant(commit >= before, "the commit index goes forward", commit, before);
    this.#commits.set(member.id, commit);
    if (commit <= this.#committed) return;
    this.#committed = commit;
    // A leader finds out by itself, by an entry of its own term (§5.4.2); the others are told.
    if (role !== "leader") return;
    const { voters, votersOutgoing } = member.node.confState;
    for (const half of [voters, votersOutgoing]) {
      const holders = half.filter((id) => isOnDisk(members.get(id), { index: commit, term }));
      invariant(half.length === 0 || holders.length * 2 > half.length, "a commit is on the disks of a quorum", commit);
    }
  }

  onApply(member: SimulatedMember, entry: Entry): void {
    const known = this.#applied.get(entry.index);
    invariant(known === undefined || same(known, entry), "State Machine Safety", member.id, entry.index);
    this.#applied.set(entry.index, entry);
    this.#states.set(entry.index, member.state.digest);
  }

  onRestore(member: SimulatedMember, snapshot: Snapshot): void {
    const { index } = snapshot.metadata;
    invariant(this.#states.get(index) === member.state.digest, "a snapshot is the state at its index", index);
  }

  /** To be called before a read is asked for. */
  onReadRequest(context: string): void {
    this.#reads.set(context, this.#committed);
  }

  /** To be called with every Ready. */
  onReady(ready: Ready): void {
    for (const { index, context } of ready.readStates) {
      const committed = this.#reads.get(new TextDecoder().decode(context)) ?? 0;
      invariant(index >= committed, "a read sees all that was committed before it", index, committed);
    }
  }
}

function isOnDisk(member: SimulatedMember | undefined, id: { index: number; term: number }): boolean {
  if (member === undefined) return false;
  const { snapshot, entries } = member.disk.synced;
  if (snapshot.metadata.index >= id.index) return true;
  return entries.some((entry) => entry.index === id.index && entry.term === id.term);
}
