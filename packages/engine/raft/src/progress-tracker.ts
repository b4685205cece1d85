import { invariant } from "@conclave/base";
import { brokenRule, type Configuration, emptyConfiguration, memberIds } from "./configuration.ts";
import type { InflightLimits } from "./inflights.ts";
import { isVoter, jointCommittedIndex, jointVoteResult } from "./joint-quorum.ts";
import { Progress } from "./progress.ts";
import type { VoteResult } from "./quorum.ts";

/** The membership, what a leader knows of each member, and the votes of the election under way. */
export class ProgressTracker {
  readonly #limits: InflightLimits;
  #configuration: Configuration = emptyConfiguration;
  /** One for each member, by ascending id: what is done for all is done in the same order in every run. */
  #progress = new Map<bigint, Progress>();
  #votes = new Map<bigint, boolean>();

  constructor(limits: InflightLimits) {
    this.#limits = limits;
  }

  /** The membership in force. */
  get configuration(): Configuration {
    return this.#configuration;
  }

  /** Every member's progress, by ascending id. */
  get progress(): ReadonlyMap<bigint, Progress> {
    return this.#progress;
  }

  /** Whether the id is a voter in either half. */
  isVoter(id: bigint): boolean {
    return isVoter(this.#configuration.voters, id);
  }

  /** Puts a membership into force. Members that stay keep their progress; new ones are probed from `next`. */
  reconfigure(configuration: Configuration, next: number): void {
    const broken = brokenRule(configuration);
    invariant(broken === undefined, broken ?? "the configuration is sound");
    const before = this.#progress;
    this.#configuration = configuration;
    this.#progress = new Map(memberIds(configuration).map((id) => [id, before.get(id) ?? this.#newcomer(next)]));
  }

  #newcomer(next: number): Progress {
    const progress = new Progress({ match: 0, next: Math.max(next, 1), limits: this.#limits });
    // Else the next check of the quorum could depose the leader before the newcomer had a chance to answer.
    progress.recentActive = true;
    return progress;
  }

  /** Forgets what was known of the members: all are probed from the entry after `lastIndex`. */
  reset(lastIndex: number): void {
    for (const id of this.#progress.keys())
      this.#progress.set(id, new Progress({ match: 0, next: lastIndex + 1, limits: this.#limits }));
  }

  /** The highest index that the quorum has. */
  get committedIndex(): number {
    return jointCommittedIndex(this.#configuration.voters, (id) => this.#progress.get(id)?.match ?? 0);
  }

  /**
   * Whether a quorum has been heard of lately, and starts to listen anew.
   *
   * @param self - the leader, which always hears itself
   */
  takeQuorumActive(self: bigint): boolean {
    const { voters } = this.#configuration;
    const result = jointVoteResult(voters, (id) => this.#progress.get(id)?.recentActive ?? false);
    for (const [id, progress] of this.#progress) progress.recentActive = id === self;
    return result === "won";
  }

  /** Forgets the votes. */
  resetVotes(): void {
    this.#votes.clear();
  }

  /** Takes note of an answer; the first one counts. */
  recordVote(id: bigint, granted: boolean): void {
    if (!this.#votes.has(id)) this.#votes.set(id, granted);
  }

  /** How the election stands. */
  get voteResult(): VoteResult {
    return jointVoteResult(this.#configuration.voters, (id) => this.#votes.get(id));
  }
}
