import type { DropReason, ProposeResult } from "@conclave/raft";

/** Whether a proposal that raft dropped for this reason may be taken a moment later. */
function mayPass(reason: DropReason): boolean {
  return reason === "noLeader" || reason === "leadershipTransfer" || reason === "confChangePending";
}

/** What unsent proposals are made, and told of, by. */
export interface UnsentProposalsPorts<P> {
  /** Makes a proposal. */
  readonly propose: (proposal: P) => ProposeResult;
  /** Whether the request still waits for its outcome. */
  readonly isWaiting: (proposal: P) => boolean;
  /** Told of a proposal that raft will never take. */
  readonly onRefused: (proposal: P, reason: DropReason) => void;
}

/**
 * Proposals made while there is no leader to take them. They are made again, in their order, as soon as there may be
 * one, and until whoever made them gives up. How many there are is bounded by the requests that may wait.
 */
export class UnsentProposals<P> {
  readonly #ports: UnsentProposalsPorts<P>;
  #unsent: P[] = [];

  constructor(ports: UnsentProposalsPorts<P>) {
    this.#ports = ports;
  }

  /** Makes a proposal, now or later. */
  submit(proposal: P): void {
    // What came earlier goes first.
    if (this.#unsent.length > 0 || !this.#isTaken(proposal)) this.#unsent.push(proposal);
  }

  /** Makes those again that could not be made so far. */
  retry(): void {
    if (this.#unsent.length === 0) return;
    const unsent = this.#unsent.filter((proposal) => this.#ports.isWaiting(proposal));
    const blocked = unsent.findIndex((proposal) => !this.#isTaken(proposal));
    this.#unsent = blocked < 0 ? [] : unsent.slice(blocked);
  }

  #isTaken(proposal: P): boolean {
    const result = this.#ports.propose(proposal);
    if (result.kind !== "dropped") return true;
    if (mayPass(result.reason)) return false;
    this.#ports.onRefused(proposal, result.reason);
    return true;
  }
}
