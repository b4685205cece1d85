/** @module What leading as a task is made of: what the task sees, how to lead, and what is told of it. */
import type { ClientView, ConclaveError } from "@conclave/client";
import type { CandidateOptions } from "./candidate.ts";
import type { Handover } from "./handover.ts";
import type { HandOverOptions, HeldLeadership, Leadership } from "./leadership.ts";

/** Leading, as the task of {@link Election.lead} sees it. */
export interface LeaderTerm
  extends Pick<
    Leadership,
    "key" | "fence" | "lease" | "guard" | "held" | "remainingMs" | "assertHeld" | "txn" | "proclaim"
  > {
  /**
   * Aborts when the task has to end: leadership is lost, is to be handed over, or `lead` was told to stop. In the last
   * two cases `held` stays true until the task and the drain have ended.
   */
  readonly signal: AbortSignal;
  /** Resolves with the reason when the task has to end; never rejects. */
  readonly ended: Promise<ConclaveError>;
  /**
   * Asks for leadership to be handed over once the task and the drain have ended, and aborts `signal`.
   *
   * @throws ConclaveError `NO_CANDIDATE` as {@link Leadership.handOver}; the task may go on then
   */
  handOver(options?: Omit<HandOverOptions, "drain">): Promise<void>;
}

/** A task that only the leader runs. */
export type LeaderTask = (term: LeaderTerm) => Promise<void>;

/** How to lead. */
export interface LeadOptions extends CandidateOptions {
  /** What others see of this leader; default: nothing. */
  readonly value?: string | undefined;
  /**
   * Ends it: the task is told to end, leadership is handed to the best candidate, and no new one is sought. Default: none.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Runs when the task has ended in order and before leadership passes on, while it is still held: to finish or hand on
   * what is under way. What it throws is told by `taskFailed`, and stops nothing. Default: nothing.
   */
  readonly drain?: ((term: LeaderTerm) => Promise<void>) | undefined;
  /**
   * How long the task and the drain may take together once they have been told to end, in milliseconds; leadership is
   * given up then, whether they have ended or not. Default: 30 000.
   */
  readonly drainMs?: number | undefined;
  /** Whether to hand over as soon as a candidate of higher priority stands that can be handed to. Default: false. */
  readonly yieldsToPriority?: boolean | undefined;
  /** As {@link CampaignOptions.resume}, for the first time it stands. Default: a new lease. */
  readonly resume?: bigint | undefined;
}

/** What is told of a candidate that leads again and again. */
export interface LeadReports {
  /** It leads. */
  elected(leadership: Leadership): void;
  /** Its leadership has ended. */
  ended(reason: ConclaveError, leadership: Leadership): void;
  /** Its leadership has passed to a candidate that was chosen. */
  handedOver(handover: Handover): void;
  /** It could not stand, or lost its candidacy, and stands again after a delay. */
  campaignFailed(error: ConclaveError): void;
  /** Its task threw after it had been told to end, or its drain threw. */
  taskFailed(error: unknown): void;
}

/** What a candidate leads with. */
export interface LeadParts {
  readonly client: ClientView;
  readonly name: string;
  /** Stands until elected. */
  readonly campaign: (options: { readonly resume: bigint | undefined }) => Promise<HeldLeadership>;
  readonly task: LeaderTask;
  readonly options: LeadOptions;
  readonly reports: LeadReports;
}
