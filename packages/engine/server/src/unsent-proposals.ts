import type { DropReason, ProposeResult } from "@conclave/raft";

/** A request that raft could not take so far. */
interface Unsent {
  readonly key: number;
  readonly submit: () => ProposeResult;
}

/** Whether a proposal that raft dropped for this reason may be taken a moment later. */
function mayPass(reason: DropReason): boolean {
  return reason === "noLeader" || reason === "leadershipTransfer" || reason === "confChangePending";
}

/** What unsent proposals are told of. */
export interface UnsentProposalsPorts {
  /** Whether the request still waits for its outcome. */
  readonly isWaiting: (key: number) => boolean;
  /** Told of a proposal that raft will never take. */
  readonly onRefused: (key: number, reason: DropReason) => void;
}

/**
 * Proposals made while there is no leader to take them. They are made again, in their order, as soon as there may be
 * one, and until whoever made them gives up. How many there are is bounded by the requests that may wait.
 */
export class UnsentProposals {
  readonly #ports: UnsentProposalsPorts;
  #unsent: Unsent[] = [];

  constructor(ports: UnsentProposalsPorts) {
    this.#ports = ports;
  }

  /** Makes a proposal, now or later. */
  submit(key: number, submit: () => ProposeResult): void {
    // What came earlier goes first.
    if (this.#unsent.length > 0 || !this.#isTaken(key, submit)) this.#unsent.push({ key, submit });
  }

  /** Makes those again that could not be made so far. */
  retry(): void {
    if (this.#unsent.length === 0) return;
    const unsent = this.#unsent.filter(({ key }) => this.#ports.isWaiting(key));
    const blocked = unsent.findIndex(({ key, submit }) => !this.#isTaken(key, submit));
    this.#unsent = blocked < 0 ? [] : unsent.slice(blocked);
  }

  #isTaken(key: number, submit: () => ProposeResult): boolean {
    const result = submit();
    if (result.kind !== "dropped") return true;
    if (mayPass(result.reason)) return false;
    this.#ports.onRefused(key, result.reason);
    return true;
  }
}
