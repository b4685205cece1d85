import { invariant } from "@conclave/base";
import { type InflightLimits, Inflights } from "./inflights.ts";

/**
 * How a leader sends to a follower: `probe` asks one message at a time where the logs agree; `replicate` streams
 * ahead of the acknowledgements; `snapshot` waits until a snapshot has arrived.
 */
export type ProgressState = "probe" | "replicate" | "snapshot";

/** What a progress starts with. */
export interface ProgressOptions {
  /** The first index to send. */
  readonly next: number;
  /** The highest index known to be on the follower. */
  readonly match: number;
  /** The window of appends in flight. */
  readonly limits: InflightLimits;
}

/**
 * A leader's view of one member, itself included (§5.3).
 *
 * Invariant: 0 <= match < next. While probing, `next` is a guess that rejections lower; while replicating, it runs
 * ahead of what was acknowledged.
 */
export class Progress {
  /** The highest index known to be on the member's disk. */
  match: number;
  /** The next index to send. */
  next: number;
  /** How to send. */
  state: ProgressState = "probe";
  /** In state `snapshot`: the index of the snapshot that is under way. */
  pendingSnapshot = 0;
  /** Whether the member has been heard of since the last check of the quorum. */
  recentActive = false;
  /** Whether appends wait until something is heard. */
  isThrottled = false;
  /** The highest commit index that was sent in an append. If that was lost, heartbeats tell again. */
  sentCommit = 0;
  /** The appends in flight, in state `replicate`. */
  readonly inflights: Inflights;

  constructor(options: ProgressOptions) {
    invariant(options.match < options.next, "match < next", options.match, options.next);
    this.match = options.match;
    this.next = options.next;
    this.inflights = new Inflights(options.limits);
  }

  /** Whether no append may be sent now. */
  get isPaused(): boolean {
    return this.state === "snapshot" || this.isThrottled;
  }

  #resetTo(state: ProgressState): void {
    this.state = state;
    this.isThrottled = false;
    this.pendingSnapshot = 0;
    this.inflights.reset();
  }

  /** Starts to probe from what is known to match, or from the end of the snapshot that was under way. */
  becomeProbe(): void {
    const known = this.state === "snapshot" ? Math.max(this.match, this.pendingSnapshot) : this.match;
    this.#resetTo("probe");
    this.next = known + 1;
  }

  /** Starts to stream from what matches. */
  becomeReplicate(): void {
    this.#resetTo("replicate");
    this.next = this.match + 1;
  }

  /** Waits for a snapshot that ends with `index`. */
  becomeSnapshot(index: number): void {
    this.#resetTo("snapshot");
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  /** Takes note that an append was sent: `count` entries from `next` on, with so many bytes of commands. */
  sentEntries(count: number, bytes: number): void {
    if (this.state === "replicate") {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      // A full window lets one empty append out per heartbeat response.
      this.isThrottled = this.inflights.isFull;
    } else {
      invariant(this.state === "probe", "appends are sent while probing or replicating", this.state);
      this.isThrottled = true;
    }
  }

  /** Whether an append that carries this commit index would tell the follower more than the last one. */
  canBumpCommit(commit: number): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /**
   * Takes note that the member has the log up to `index`.
   *
   * @returns whether that was news
   */
  maybeUpdate(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.isThrottled = false;
    return true;
  }

  /**
   * Takes note that the member rejected an append after index `rejected`, and that it may agree at `hint`.
   *
   * @returns whether that was news; a rejection that was overtaken by an acknowledgement is stale
   */
  maybeDecrease(rejected: number, hint: number): boolean {
    if (this.state === "replicate") {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
      return true;
    }
    // Only the one probe in flight can have been rejected.
    if (this.next - 1 !== rejected) return false;
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
    this.isThrottled = false;
    return true;
  }
}
