import {
  type CallOptions,
  type ClientView,
  ConclaveError,
  type EventSource,
  IsolatedEmitter,
  op,
  prefix,
  type SessionOptions,
  takeOwnership,
  warnOfHandlerError,
} from "@conclave/client";
import * as z from "zod";
import {
  type Candidate,
  type CandidateOptions,
  formatNote,
  type Leader,
  noteKey,
  type ObservedLeader,
  readStanding,
  toLeader,
} from "./candidate.ts";
import type { Handover } from "./handover.ts";
import { leadAgain } from "./lead.ts";
import type { LeaderTask, LeadOptions } from "./leader-term.ts";
import { watchLeader } from "./leader-watch.ts";
import { HeldLeadership, type Leadership } from "./leadership.ts";

/** How an election is made. */
export interface ElectionOptions {
  /** Seconds after which the leadership of a leader that has died, or hangs, falls to the next candidate. Default 15. */
  readonly ttlSec?: number | undefined;
  /**
   * Milliseconds before the lease's end at which a leader stops trusting its leadership, so that it has stepped down
   * before anybody else can lead. Default: a tenth of the time to live, at most 2 000.
   */
  readonly marginMs?: number | undefined;
  /**
   * Lets a thread renew the leases of candidates, so that a blocked event loop does not lose them until it has hung for
   * `maxStallMs` milliseconds: see `renewer` of the client's `SessionOptions`. Default: the main loop renews.
   */
  readonly renewer?: SessionOptions["renewer"];
}

/** How to stand for election. */
export interface CampaignOptions extends CandidateOptions {
  /** Longest wait in milliseconds; default: no limit. */
  readonly waitMs?: number | undefined;
  /** Gives the candidacy up: the call rejects with `ABORTED`. Default: none. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The lease of a candidacy of an earlier run of this program, as the event `stands` told it: that candidacy goes on,
   * at its place and with its fence, even as the leader. If the lease is gone, the candidate stands anew. The earlier run
   * must have ended for sure: two programs with one lease would both take themselves for the leader. Default: a new lease.
   */
  readonly resume?: bigint | undefined;
}

/** Who leads and who stands behind, at one revision. */
export interface ElectionState {
  /** The revision at which it was so. */
  readonly revision: number;
  /** The leader; undefined if nobody leads. */
  readonly leader: Candidate | undefined;
  /** Those who stand behind, in the order in which they will lead, with what each will proclaim. */
  readonly candidates: readonly Candidate[];
}

/** What happens to this candidate. */
export type ElectionEvents = {
  /** It is about to stand. The lease is worth keeping by a program that wants to `resume` after a restart. */
  stands: [candidacy: { readonly key: string; readonly lease: bigint }];
  /** It leads. */
  elected: [leader: { readonly key: string; readonly fence: number; readonly lease: bigint }];
  /** Its leadership has ended: lost, or given up (`CLOSED`). */
  ended: [reason: ConclaveError, leader: { readonly key: string; readonly fence: number }];
  /** `lead` has handed leadership over. */
  handedOver: [handover: Handover];
  /** `lead` could not stand, or lost its candidacy; it stands again after a delay with jitter. */
  campaignFailed: [error: ConclaveError];
  /** The task of `lead` threw after it had been told to end, or its drain or the handover failed. */
  taskFailed: [error: unknown];
};

/** One election among any number of candidates. */
export interface Election extends EventSource<ElectionEvents> {
  /** The election's name. */
  readonly name: string;
  /**
   * Waits until this candidate leads.
   *
   * @param value - what others see of the leader
   * @throws ConclaveError `TIMEOUT`, `ABORTED`, or `SESSION_LOST` if the candidate's own lease ran out while it waited
   */
  campaign(value: string, options?: CampaignOptions): Promise<Leadership>;
  /**
   * Runs a task whenever this candidate leads, and stands again after a loss or a handover, until the task resolves while
   * it leads or `signal` aborts. The task must end soon after `term.signal` aborts; no second run begins before it has.
   *
   * @throws what the task throws while it leads; an error of standing that would only come again, such as
   * `PERMISSION_DENIED`. Others are told by `campaignFailed`, and it stands again.
   */
  lead(task: LeaderTask, options?: LeadOptions): Promise<void>;
  /** Who leads now; undefined if nobody does. */
  leader(options?: CallOptions): Promise<Leader | undefined>;
  /** Who leads and who stands behind. */
  inspect(options?: CallOptions): Promise<ElectionState>;
  /**
   * Every leader from now on, the present one first, with each value it proclaims: in order, and never one that does not
   * lead. After a compaction or a long disconnection those in between are left out.
   */
  observe(options?: { readonly signal?: AbortSignal | undefined }): AsyncGenerator<ObservedLeader, void, undefined>;
}

const ms = z.number().min(0);
const candidateFields = {
  id: z.string().min(1).optional(),
  priority: z.number().int().optional(),
  signal: z.instanceof(AbortSignal).optional(),
  resume: z.bigint().optional(),
};
const electionSchema = z.strictObject({
  name: z.string().min(1, "must not be empty"),
  ttlSec: z.number().int().min(1).optional(),
  marginMs: ms.optional(),
  renewer: z.strictObject({ maxStallMs: z.number().min(10) }).optional(),
});
const campaignSchema = z.strictObject({ ...candidateFields, value: z.string(), waitMs: ms.optional() });
const leadSchema = z.strictObject({
  ...candidateFields,
  task: z.custom((task) => typeof task === "function", "expected a function"),
  value: z.string().optional(),
  drain: z.custom((drain) => drain === undefined || typeof drain === "function", "expected a function").optional(),
  drainMs: ms.optional(),
  yieldsToPriority: z.boolean().optional(),
});

/**
 * Makes an election. It takes no lease and no connection until it is used.
 *
 * Candidates stand in the layout of etcd's Go package `concurrency`: its `Election` and `etcdctl elect` of the same name
 * take part in the same election.
 *
 * @param name - the same for all candidates; keys are `<name>/<lease in hex>`, and `<name>#<lease in hex>` for those
 * that give an id or a priority, or lead by `lead`
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function createElection(client: ClientView, name: string, options: ElectionOptions = {}): Election {
  check(electionSchema, { name, ...options }, "election");
  return new NamedElection(client, name, options);
}

class NamedElection implements Election {
  readonly name: string;
  readonly #client: ClientView;
  readonly #options: ElectionOptions;
  readonly #events = new IsolatedEmitter<ElectionEvents>(warnOfHandlerError);

  constructor(client: ClientView, name: string, options: ElectionOptions) {
    this.name = name;
    this.#client = client;
    this.#options = options;
  }

  on: EventSource<ElectionEvents>["on"] = (name, handler) => this.#events.on(name, handler);
  once: EventSource<ElectionEvents>["once"] = (name, handler) => this.#events.once(name, handler);

  async campaign(value: string, options: CampaignOptions = {}): Promise<Leadership> {
    check(campaignSchema, { value, ...options }, "candidacy");
    const leadership = await this.#campaign(value, options, isNoted(options));
    this.#events.emit("elected", leadership);
    void leadership.ended.then((reason) => this.#events.emit("ended", reason, leadership));
    return leadership;
  }

  async lead(task: LeaderTask, options: LeadOptions = {}): Promise<void> {
    check(leadSchema, { task, ...options }, "candidacy");
    const { value = "", id, priority, signal } = options;
    await leadAgain({
      ...{ client: this.#client, name: this.name, task, options },
      campaign: ({ resume }) => this.#campaign(value, { id, priority, signal, resume }, true),
      reports: {
        elected: (leadership) => this.#events.emit("elected", leadership),
        ended: (reason, leadership) => this.#events.emit("ended", reason, leadership),
        handedOver: (handover) => this.#events.emit("handedOver", handover),
        campaignFailed: (error) => this.#events.emit("campaignFailed", error),
        taskFailed: (error) => this.#events.emit("taskFailed", error),
      },
    });
  }

  async leader(options?: CallOptions): Promise<Leader | undefined> {
    const oldest = { ...options, sortBy: "createRevision", limit: 1 } as const;
    const [kv] = (await this.#client.range(prefix(`${this.name}/`), oldest)).kvs;
    return kv === undefined ? undefined : toLeader(kv);
  }

  async inspect(options?: CallOptions): Promise<ElectionState> {
    const { revision, candidates } = await readStanding(this.#client, this.name, options);
    const [leader, ...behind] = candidates;
    return { revision, leader, candidates: behind };
  }

  observe({
    signal,
  }: {
    readonly signal?: AbortSignal | undefined;
  } = {}): AsyncGenerator<ObservedLeader, void, undefined> {
    return watchLeader(this.#client, this.name, signal);
  }

  async #campaign(value: string, options: CampaignOptions, noted: boolean): Promise<HeldLeadership> {
    const client = this.#client;
    const { waitMs, signal, resume } = options;
    const session = await this.#openSession(options);
    this.#events.emit("stands", { key: `${this.name}/${session.lease.toString(16)}`, lease: session.lease });
    const note = ({ lease }: { readonly lease: bigint }) =>
      op.put(noteKey(this.name, lease), formatNote(options), { lease });
    const ownership = await takeOwnership(client, this.name, {
      ...{ session, value, waitMs, signal },
      alongside: noted ? (place) => [note(place)] : undefined,
      onDisplaced: noted ? "again" : "fail",
    });
    const leadership = new HeldLeadership(client, this.name, ownership);
    if (resume !== undefined && (await client.getString(leadership.key, { signal })) !== value)
      await leadership.proclaim(value, { signal, idempotent: true });
    return leadership;
  }

  /** A lease of its own, as two candidates of one process are two; or that of an earlier run, if it lives. */
  async #openSession({ signal, resume }: CampaignOptions) {
    const { ttlSec, marginMs, renewer } = this.#options;
    if (resume !== undefined) {
      try {
        return await this.#client.session({ lease: resume, marginMs, renewer, signal });
      } catch (error) {
        if (!isLeaseGone(error)) throw error;
      }
    }
    return await this.#client.session({ ttlSec, marginMs, renewer, signal });
  }
}

/** Whether a candidate wants to be known to handovers. */
function isNoted({ id, priority }: CandidateOptions): boolean {
  return id !== undefined || priority !== undefined;
}

function isLeaseGone(error: unknown): boolean {
  return error instanceof ConclaveError && error.code === "LEASE_NOT_FOUND";
}

function check(schema: z.ZodType, value: object, what: string): void {
  const checked = schema.safeParse(value);
  if (checked.success) return;
  const [issue] = checked.error.issues;
  throw new ConclaveError("INVALID_ARGUMENT", `Invalid ${what}: ${issue?.path.join(".")} ${issue?.message}`);
}
