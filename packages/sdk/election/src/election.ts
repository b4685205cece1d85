import {
  type CallOptions,
  type ClientView,
  ConclaveError,
  isConclaveError,
  type MutationOptions,
  type Ownership,
  op,
  prefix,
  takeOwnership,
} from "@conclave/client";
import { z } from "zod";
import { type Leader, toLeader, watchLeader } from "./leader-watch.ts";

/** How an election is made. */
export interface ElectionOptions {
  /** Seconds after which the leadership of a leader that has died, or hangs, falls to the next candidate. Default 15. */
  readonly ttlSec?: number;
  /** Milliseconds before the lease's end at which a leader stops trusting its leadership. Default: the client's. */
  readonly marginMs?: number;
}

/** How to stand for election. */
export interface CampaignOptions {
  /** Longest wait in milliseconds; default: no limit. */
  readonly waitMs?: number;
  /** Gives the candidacy up: the call rejects with `ABORTED`. Default: none. */
  readonly signal?: AbortSignal;
}

/** Leading: {@link Ownership} of the election's name. */
export interface Leadership extends Ownership {
  /**
   * Changes what others see of the leader.
   *
   * @throws ConclaveError `OWNERSHIP_LOST` if someone else leads by now; nothing was written
   */
  proclaim(value: string, options?: MutationOptions): Promise<void>;
  /** Steps down; the next candidate leads at once. */
  resign(options?: CallOptions): Promise<void>;
}

/** A task that only the leader runs. */
export type LeaderTask = (leadership: Leadership) => Promise<void>;

/** How to lead. */
export interface LeadOptions {
  /** What others see of this leader; default: nothing. */
  readonly value?: string;
  /** Ends it: the task's leadership is resigned, and no new one is sought. Default: none. */
  readonly signal?: AbortSignal;
}

/** One election among any number of candidates. */
export interface Election {
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
   * Runs a task whenever this candidate leads, and stands again after a loss, until the task resolves while it leads or
   * `signal` aborts. The task must end soon after `leadership.signal` aborts.
   *
   * @throws what the task throws while it leads
   */
  lead(task: LeaderTask, options?: LeadOptions): Promise<void>;
  /** Who leads now; undefined if nobody does. */
  leader(options?: CallOptions): Promise<Leader | undefined>;
  /** Every leader from now on, the present one first, in order and never one that does not lead. */
  observe(options?: { readonly signal?: AbortSignal }): AsyncGenerator<Leader, void, undefined>;
}

const schema = z.strictObject({
  name: z.string().min(1, "must not be empty"),
  ttlSec: z.number().int().min(1).optional(),
  marginMs: z.number().min(0).optional(),
});

/**
 * Makes an election. It takes no lease and no connection until it is used.
 *
 * Candidates stand in the layout of etcd's Go package `concurrency`: its `Election` and `etcdctl elect` of the same name
 * take part in the same election.
 *
 * @param name - the same for all candidates; keys are `<name>/<lease in hex>`
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function createElection(client: ClientView, name: string, options: ElectionOptions = {}): Election {
  const checked = schema.safeParse({ name, ...options });
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw new ConclaveError("INVALID_ARGUMENT", `Invalid election: ${issue?.path.join(".")} ${issue?.message}`);
  }
  const campaign = async (value: string, { waitMs, signal }: CampaignOptions = {}): Promise<Leadership> =>
    asLeadership(await takeOwnership(client, name, { ...options, value, waitMs, signal }));

  return {
    name,
    campaign,
    lead: (task, leadOptions) => lead(campaign, task, leadOptions),
    async leader(callOptions) {
      const oldest = { ...callOptions, sortBy: "createRevision", limit: 1 } as const;
      const [kv] = (await client.range(prefix(`${name}/`), oldest)).kvs;
      return kv === undefined ? undefined : toLeader(kv);
    },
    observe: ({ signal } = {}) => watchLeader(client, name, signal),
  };
}

function asLeadership(ownership: Ownership): Leadership {
  return Object.assign(ownership, {
    async proclaim(value: string, options?: MutationOptions): Promise<void> {
      await ownership.txn([op.put(ownership.key, value, { lease: ownership.lease })], options);
    },
    resign: (options?: CallOptions): Promise<void> => ownership.release(options),
  });
}

async function lead(
  campaign: Election["campaign"],
  task: LeaderTask,
  { value = "", signal }: LeadOptions = {},
): Promise<void> {
  while (signal?.aborted !== true) {
    const leadership = await campaignAgain(campaign, value, signal);
    if (leadership === undefined) return;
    const resign = (): void => void leadership.resign().catch(() => {}); // The lease runs out by itself.
    signal?.addEventListener("abort", resign, { once: true });
    try {
      await task(leadership);
      if (leadership.held) return;
    } catch (error) {
      // What a task throws because it was told to stop is no failure of the task.
      if (leadership.held) throw error;
    } finally {
      signal?.removeEventListener("abort", resign);
      await leadership.resign();
    }
  }
}

/** Stands until elected; undefined if the caller gave up. A candidacy whose lease ran out is simply made again. */
async function campaignAgain(
  campaign: Election["campaign"],
  value: string,
  signal: AbortSignal | undefined,
): Promise<Leadership | undefined> {
  for (;;) {
    try {
      return await campaign(value, signal === undefined ? {} : { signal });
    } catch (error) {
      if (signal?.aborted === true) return undefined;
      const again = isConclaveError(error, "SESSION_LOST") || isConclaveError(error, "OWNERSHIP_LOST");
      if (!again) throw error;
    }
  }
}
