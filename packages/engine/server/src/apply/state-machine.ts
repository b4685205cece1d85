import { type AuthStore, createAuthStore } from "@conclave/auth";
import type { Backend } from "@conclave/base";
import { createLessor, type Lessor } from "@conclave/lease";
import { createMvccStore, type MvccStore } from "@conclave/mvcc";
import type { ResponseHeader } from "@conclave/protocol/etcdserverpb";
import { passwordHashOf } from "../auth/password-hash-of.ts";
import { SimpleTokens } from "../auth/simple-tokens.ts";
import type { MemberPorts, MemberSettings } from "../member-settings.ts";
import { compareApiLevels } from "../membership/api-version.ts";
import type { Membership } from "../membership/membership.ts";
import { type Alarms, createAlarms } from "./alarms.ts";
import { CompactionJob } from "./compaction-job.ts";
import { WatchFeed } from "./watch-feed.ts";

/** What applying the log makes, and the jobs that work on it. */
export interface StateMachine {
  /** What all of it is kept in. */
  readonly backend: Backend;
  /** The members of the cluster. */
  readonly membership: Membership;
  /** Alarms. */
  readonly alarms: Alarms;
  /** Users, roles and their permissions. */
  readonly auth: AuthStore;
  /** Whom this member knows by simple tokens; its own, though they are given out through the log. */
  readonly tokens: SimpleTokens;
  /** Leases. */
  readonly lessor: Lessor;
  /** Keys and their history. */
  readonly store: MvccStore;
  /** Brings the events of commits to watchers. */
  readonly watchFeed: WatchFeed;
  /** Deletes compacted revisions in the background. */
  readonly compaction: CompactionJob;
}

/** What gRPC may add to the largest request, as etcd reckons. */
export const grpcOverheadBytes: number = 512 * 1024;

/** What a state machine is made of, beside the content of its store. */
export interface StateMachineOptions {
  readonly settings: MemberSettings;
  readonly ports: Pick<MemberPorts, "clock" | "scheduler" | "random">;
  /** The header of a reply, as of now. */
  readonly header: () => ResponseHeader;
  /** Told when a job failed. */
  readonly onFailure: (error: unknown) => void;
}

/** Opens the state machine that a store holds. */
export function createStateMachine(
  { backend, membership }: Pick<StateMachine, "backend" | "membership">,
  { settings, ports, header, onFailure }: StateMachineOptions,
): StateMachine {
  const { clock, scheduler, random } = ports;
  const lessor = createLessor({
    backend,
    minTtlSec: Math.ceil((1.5 * settings.electionTimeoutMs) / 1000),
    // Older members keep them in memory only; all are to have the same rows.
    persistsCheckpoints: () =>
      settings.persistLeaseCheckpoints === true || compareApiLevels(membership.clusterVersion ?? "", "3.6.0") >= 0,
  });
  const store = createMvccStore({ backend, leases: lessor });
  const watchFeed = new WatchFeed({
    ...{ store, scheduler, random },
    header: (revision) => ({ ...header(), revision }),
    progressIntervalMs: settings.watchProgressIntervalMs,
    fragmentBytes: settings.maxRequestBytes + grpcOverheadBytes,
  });
  const compaction = new CompactionJob(store, {
    ...{ clock, scheduler, onFailure },
    batchLimit: settings.compactionBatchLimit,
    sleepMs: settings.compactionSleepMs,
  });
  const auth = createAuthStore({ backend, hashOf: passwordHashOf });
  const tokens = new SimpleTokens({ clock: ports.clock, ttlSec: settings.simpleTokenTtlSec });
  return { backend, membership, alarms: createAlarms(backend), auth, tokens, lessor, store, watchFeed, compaction };
}
