/**
 * @module One member: raft, log, store, lessor and watch hub wired together on the ports it is given. It knows no
 * transport; services, gateway and simulation all drive it through this interface.
 */
import type { Backend, Clock, Random, Scheduler, Timer } from "@conclave/base";
import { createLessor, type Lessor } from "@conclave/lease";
import { createMvccStore, type MvccStore } from "@conclave/mvcc";
import { WireError } from "@conclave/protocol";
import type { ResponseHeader } from "@conclave/protocol/etcdserverpb";
import type { Entry } from "@conclave/raft";
import type { FileSystem } from "@conclave/wal";
import { type Alarms, createAlarms } from "./alarms.ts";
import { type AnyResponse, Applier, type ApplierPorts } from "./applier.ts";
import { bootstrap, type MemberState } from "./bootstrap.ts";
import { type CommandKind, type CommandRequest, type CommandResponse, encodeCommand } from "./commands.ts";
import { CompactionJob } from "./compaction-job.ts";
import { createRequestIds, formatId, type RequestIds, requestKey } from "./ids.ts";
import { LeaseExpiry } from "./lease-expiry.ts";
import type { Log } from "./log.ts";
import { LogCompactor, type LogCompactorOptions } from "./log-compactor.ts";
import type { Membership } from "./membership.ts";
import { startPeriodic } from "./periodic.ts";
import { createProposals, type Proposals } from "./proposals.ts";
import { RaftLoop, type RaftLoopPorts } from "./raft-loop.ts";
import { ReadBarrier } from "./read-barrier.ts";
import { StoreFlusher, type StoreFlusherOptions } from "./store-flusher.ts";
import { clusterApiVersion } from "./version.ts";
import { WatchFeed } from "./watch-feed.ts";

/** The world a member lives in. */
export interface MemberPorts {
  /** Tells the time. */
  readonly clock: Clock;
  /** Runs what is to happen later. */
  readonly scheduler: Scheduler;
  /** Draws election timeouts and lease ids. */
  readonly random: Random;
  /** Holds the write-ahead log. */
  readonly fileSystem: FileSystem;
  /** Opens the store at a path. */
  readonly openBackend: (path: string) => Promise<Backend>;
  /** Takes the log lines. */
  readonly log: Log;
}

/** What a member is told. Defaults belong to the configuration: what is optional here is for tests. */
export interface MemberSettings {
  /** Human-readable name, published to the cluster. */
  readonly name: string;
  /** Directory of the member's state. */
  readonly memberDir: string;
  /** Directory of the write-ahead log. */
  readonly walDir: string;
  /** Size in bytes at which a segment of the write-ahead log ends; default: etcd's 64 000 000. */
  readonly walSegmentBytes?: number;
  /** URLs that other members reach it at; the id of a new member follows from them. */
  readonly peerUrls: readonly string[];
  /** URLs that clients reach it at, published to the cluster. */
  readonly clientUrls: readonly string[];
  /** Tells clusters apart that are founded alike. */
  readonly clusterToken: string;
  /** Time of one tick. */
  readonly heartbeatIntervalMs: number;
  /** Time without a leader before an election; all members must share it. */
  readonly electionTimeoutMs: number;
  /** Applied entries between two snapshot records in the log. */
  readonly snapshotCount: number;
  /** Longest time applied state stays unpersisted in the store. */
  readonly backendBatchIntervalMs: number;
  /** Buffered store operations at which a commit starts at once. */
  readonly backendBatchLimit: number;
  /** Largest log entry that is proposed, in bytes. */
  readonly maxRequestBytes: number;
  /** Revisions deleted in one step of a compaction. */
  readonly compactionBatchLimit: number;
  /** Pause between two steps of a compaction. */
  readonly compactionSleepMs: number;
  /** Time between progress notifications of watchers that asked for them; at random up to a tenth more or less. */
  readonly watchProgressIntervalMs: number;
}

/** What gRPC may add to the largest request, as etcd reckons. */
export const grpcOverheadBytes: number = 512 * 1024;
/** Proposals that may wait to be applied before new ones are refused. */
const proposalsMax = 5000;
/** Entries kept in memory behind a snapshot, for peers that are a little behind. */
const catchUpEntries = 5000;
/** How often the deadlines of waiting requests are looked at. */
const deadlineCheckMs = 250;

/** A running member. */
export class Member {
  /** Its id, fixed for life. */
  readonly id: bigint;
  /** The id of its cluster. */
  readonly clusterId: bigint;
  /** What it was told. */
  readonly settings: MemberSettings;
  /** The world it lives in. */
  readonly ports: MemberPorts;
  /** Keys and their history, as of the applied log. */
  readonly store: MvccStore;
  /** Leases, as of the applied log. */
  readonly lessor: Lessor;
  /** Alarms, as of the applied log. */
  readonly alarms: Alarms;
  /** The members of the cluster, as of the applied log. */
  readonly membership: Membership;
  /** What all of these are kept in. */
  readonly backend: Backend;
  /** Deletes compacted revisions in the background. */
  readonly compaction: CompactionJob;
  /** Brings the events of commits to watchers. */
  readonly watchFeed: WatchFeed;

  readonly #state: MemberState;
  readonly #ids: RequestIds;
  readonly #proposals: Proposals<AnyResponse> = createProposals();
  readonly #applier: Applier;
  readonly #barrier: ReadBarrier;
  readonly #loop: RaftLoop;
  readonly #flusher: StoreFlusher;
  readonly #logCompactor: LogCompactor;
  readonly #requestTimeoutMs: number;
  readonly #jobs: Timer[] = [];
  #stopped: Error | undefined;
  #failed = false;
  #closing: Promise<void> | undefined;
  #onFailure: ((error: unknown) => void) | undefined;
  #leaderWaiters: (() => void)[] = [];

  constructor(state: MemberState, settings: MemberSettings, ports: MemberPorts) {
    this.#state = state;
    this.id = state.memberId;
    this.clusterId = state.clusterId;
    this.settings = settings;
    this.ports = ports;
    this.backend = state.backend;
    this.membership = state.membership;
    // etcd grants a read a deadline that covers a slow disk and one election.
    this.#requestTimeoutMs = 5000 + 2 * settings.electionTimeoutMs;
    this.#ids = createRequestIds(state.memberId, ports.clock);
    this.alarms = createAlarms(state.backend);
    this.lessor = createLessor({
      backend: state.backend,
      minTtlSec: Math.ceil((1.5 * settings.electionTimeoutMs) / 1000),
    });
    this.store = createMvccStore({ backend: state.backend, leases: this.lessor });
    this.watchFeed = new WatchFeed({
      store: this.store,
      header: (revision) => ({ ...this.header(), revision }),
      scheduler: ports.scheduler,
      random: ports.random,
      progressIntervalMs: settings.watchProgressIntervalMs,
      fragmentBytes: settings.maxRequestBytes + grpcOverheadBytes,
    });
    this.compaction = new CompactionJob(this.store, {
      scheduler: ports.scheduler,
      batchLimit: settings.compactionBatchLimit,
      sleepMs: settings.compactionSleepMs,
      onFailure: (error) => this.#fail(error),
    });
    const { applied, confState, snapshot } = state;
    this.#applier = new Applier(this.#applierPorts(), { index: applied, confState });
    this.#barrier = new ReadBarrier(
      { scheduler: ports.scheduler, requestReadIndex: (context) => this.#loop.readIndex(context) },
      applied,
    );
    this.#flusher = new StoreFlusher(this.#flusherOptions(), applied);
    this.#logCompactor = new LogCompactor(this.#logCompactorOptions(), snapshot.index);
    this.#loop = new RaftLoop(this.#raftLoopPorts());
  }

  /**
   * Starts the member's life: ticks, election, background jobs.
   *
   * @param onFailure - told once if the member has to stop by itself: its disk failed or a rule of its own was broken
   * @returns when the member leads or follows and has published its attributes, that is, when it can serve
   */
  async start(onFailure: (error: unknown) => void): Promise<void> {
    this.#onFailure = onFailure;
    const { clock, scheduler } = this.ports;
    const every = (intervalMs: number, run: (stalledMs: number) => void): void => {
      this.#jobs.push(startPeriodic({ clock, scheduler, intervalMs, run }));
    };
    every(this.settings.heartbeatIntervalMs, () => this.#loop.tick());
    every(deadlineCheckMs, () => this.#expireRequests());
    const leaseExpiry = new LeaseExpiry(this);
    every(LeaseExpiry.intervalMs, (stalledMs) => leaseExpiry.check(stalledMs));
    this.#jobs.push(this.watchFeed.start());
    this.compaction.start();
    if (this.#isOnlyVoter()) this.#loop.campaign();
    else this.#loop.tick();
    await this.#leaderKnown();
    await this.#publish();
  }

  /** Whether this member leads and has applied everything that was committed before its term. */
  get isConfirmedLeader(): boolean {
    const { role, term } = this.#state.node.status;
    return role === "leader" && this.#applier.appliedTerm === term;
  }

  /** Id of the leader; 0n if none is known. */
  get leader(): bigint {
    return this.#state.node.status.lead;
  }

  /** Raft's view, for Status and metrics. */
  get raftStatus(): { readonly term: number; readonly commit: number; readonly applied: number } {
    const { term, commit } = this.#state.node.status;
    return { term, commit, applied: this.#applier.appliedIndex };
  }

  /** How many requests wait to be applied. */
  get pendingProposals(): number {
    return this.#proposals.size;
  }

  /** The header of a reply, as of now. */
  header(): ResponseHeader {
    return {
      clusterId: this.clusterId,
      memberId: this.id,
      revision: this.store.currentRevision,
      raftTerm: this.#state.node.status.term,
    };
  }

  /**
   * Proposes a command and waits until it is applied here.
   *
   * @returns the result of applying it, durable on a quorum
   * @throws WireError what applying it refused, or `RequestTooLarge`, `RequestTooManyRequests`, `NoLeader`,
   * `Timeout` (then it may or may not be applied later), `Stopped`
   */
  propose<K extends CommandKind>(kind: K, request: CommandRequest<K>): Promise<CommandResponse<K>> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    if (this.#proposals.size >= proposalsMax) return Promise.reject(new WireError("RequestTooManyRequests"));
    const id = this.#ids.next();
    const data = encodeCommand(kind, request, id);
    if (data.length > this.settings.maxRequestBytes) return Promise.reject(new WireError("RequestTooLarge"));
    if (this.#loop.propose(data).kind === "dropped") return Promise.reject(new WireError("NoLeader"));
    return this.#proposals.wait(requestKey(id), this.#deadlineMs()) as Promise<CommandResponse<K>>;
  }

  /**
   * Waits until a read of the local state is linearizable.
   *
   * @throws WireError `Timeout` or `Stopped`
   */
  linearizable(): Promise<void> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    return this.#barrier.wait(this.#deadlineMs());
  }

  /** An id for a lease that nobody chose. */
  newRequestId(): bigint {
    return this.#ids.next();
  }

  /** Persists everything applied so far in the store. */
  flush(): Promise<void> {
    return this.#flusher.flush();
  }

  /**
   * Ends the member: waiting requests get `server stopped`, applied state is persisted, files are let go. A member that
   * has failed persists nothing more and only lets go.
   */
  async stop(): Promise<void> {
    const first = this.#halt();
    await this.#loop.stop();
    if (first) await this.#flusher.flush();
    this.#closing ??= this.#close();
    await this.#closing;
  }

  /** Ends the member as a crash would, for the simulation: nothing more is persisted. */
  async abort(): Promise<void> {
    this.#halt();
    await this.#loop.stop();
    this.#closing ??= this.#close();
    await this.#closing;
  }

  #applierPorts(): ApplierPorts {
    const { backend, store, lessor, alarms, membership } = this;
    return {
      ...{ backend, store, lessor, alarms, membership },
      header: () => this.header(),
      nowMs: () => this.ports.clock.monotonicMs(),
      settle: (key, outcome) => this.#proposals.settle(key, outcome),
      applyConfChange: (change) => this.#state.node.applyConfChange(change),
      onCompaction: () => this.compaction.start(),
    };
  }

  #flusherOptions(): StoreFlusherOptions {
    return {
      backend: this.backend,
      scheduler: this.ports.scheduler,
      intervalMs: this.settings.backendBatchIntervalMs,
      operationLimit: this.settings.backendBatchLimit,
      beforeCommit: () => {
        this.#applier.writeConsistentIndex();
        return this.#applier.appliedIndex;
      },
      onFailure: (error) => this.#fail(error),
    };
  }

  #logCompactorOptions(): LogCompactorOptions {
    const { wal, log } = this.#state;
    return {
      ...{ wal, log, flusher: this.#flusher, catchUpEntries },
      snapshotCount: this.settings.snapshotCount,
      confState: () => this.#applier.confState,
      onFailure: (error) => this.#fail(error),
      onSnapshot: (index) => this.ports.log.info("saved snapshot record", { "snapshot-index": index }),
    };
  }

  #raftLoopPorts(): RaftLoopPorts {
    const { node, log, wal } = this.#state;
    return {
      ...{ node, log, wal, scheduler: this.ports.scheduler },
      send: () => {},
      apply: (entries) => this.#apply(entries),
      onReadState: (context, index) => this.#barrier.onReadState(context, index),
      onSoftState: () => this.#onSoftState(),
      onFailure: (error) => this.#fail(error),
    };
  }

  #halt(): boolean {
    if (this.#stopped !== undefined) return false;
    this.#stopped = new WireError("Stopped");
    for (const job of this.#jobs) job.cancel();
    this.compaction.stop();
    this.#proposals.abandon(this.#stopped);
    this.#barrier.abandon(this.#stopped);
    this.#releaseLeaderWaiters();
    return true;
  }

  async #close(): Promise<void> {
    const closed = await Promise.allSettled([this.#state.wal.close(), this.backend.close()]);
    const refusal = closed.find((each) => each.status === "rejected");
    // What a failed member cannot let go of has been told with its failure.
    if (refusal !== undefined && !this.#failed) throw refusal.reason;
  }

  #fail(error: unknown): void {
    if (!this.#halt()) return;
    this.#failed = true;
    this.ports.log.error("member failed and stops", { error: error instanceof Error ? error.message : String(error) });
    this.#onFailure?.(error);
  }

  #deadlineMs(): number {
    return this.ports.clock.monotonicMs() + this.#requestTimeoutMs;
  }

  #expireRequests(): void {
    const nowMs = this.ports.clock.monotonicMs();
    this.#proposals.expire(nowMs);
    this.#barrier.expire(nowMs);
  }

  #apply(entries: readonly Entry[]): Promise<void> | undefined {
    for (const entry of entries) this.#applier.apply(entry);
    const index = this.#applier.appliedIndex;
    this.#barrier.onApplied(index);
    // Only now is every revoke of earlier terms applied, so that no lease is given time it no longer has.
    if (!this.lessor.primary && this.isConfirmedLeader) this.#becomePrimary();
    if (this.#leaderWaiters.length > 0) this.#releaseLeaderWaiters();
    this.#logCompactor.afterApply(index);
    return this.#flusher.afterApply();
  }

  #onSoftState(): void {
    const { role } = this.#state.node.status;
    if (role !== "leader" && this.lessor.primary) this.lessor.demote();
    this.ports.log.info("raft role changed", {
      role,
      term: this.#state.node.status.term,
      leader: formatId(this.leader),
    });
  }

  #becomePrimary(): void {
    this.lessor.promote(this.ports.clock.monotonicMs(), this.settings.electionTimeoutMs);
  }

  #isOnlyVoter(): boolean {
    const { voters } = this.#state.confState;
    return voters.length === 0 || (voters.length === 1 && voters[0] === this.id);
  }

  #leaderKnown(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#leaderWaiters.push(() => (this.#stopped === undefined ? resolve() : reject(this.#stopped)));
      this.#releaseLeaderWaiters();
    });
  }

  #releaseLeaderWaiters(): void {
    if (this.#stopped === undefined && !this.isConfirmedLeader) return;
    const waiters = this.#leaderWaiters;
    this.#leaderWaiters = [];
    for (const wake of waiters) wake();
  }

  /** Tells the cluster this member's name and client URLs, and the API level, where they differ from what it knows. */
  async #publish(): Promise<void> {
    const { name, clientUrls } = this.settings;
    const known = this.membership.member(this.id);
    if (known?.name !== name || known.clientUrls.join() !== clientUrls.join()) {
      await this.propose("clusterMemberAttrSet", {
        memberID: this.id,
        memberAttributes: { name, clientUrls: [...clientUrls] },
      });
    }
    if (this.membership.clusterVersion !== clusterApiVersion)
      await this.propose("clusterVersionSet", { ver: clusterApiVersion });
  }
}

/**
 * Opens the member in a data directory, or founds a cluster of one there.
 *
 * @throws MemberError or WalError, with one line that says what an operator can do
 */
export async function openMember(settings: MemberSettings, ports: MemberPorts): Promise<Member> {
  const state = await bootstrap({
    memberDir: settings.memberDir,
    walDir: settings.walDir,
    ...(settings.walSegmentBytes !== undefined && { segmentBytes: settings.walSegmentBytes }),
    name: settings.name,
    peerUrls: settings.peerUrls,
    clusterToken: settings.clusterToken,
    electionTicks: Math.max(2, Math.round(settings.electionTimeoutMs / settings.heartbeatIntervalMs)),
    fileSystem: ports.fileSystem,
    random: ports.random,
    openBackend: ports.openBackend,
    onRepair: (repair) => ports.log.warn("cut off the torn end of the write-ahead log", { ...repair }),
  });
  return new Member(state, settings, ports);
}
