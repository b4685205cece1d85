/**
 * @module One member: raft, log, store, lessor and watch hub wired together on the ports it is given. It knows no
 * transport; services, gateway and simulation all drive it through this interface.
 */
import type { AuthStore, Caller } from "@conclave/auth";
import { type Backend, exponentialBounds, Histogram, type Timer } from "@conclave/base";
import type { Lessor } from "@conclave/lease";
import type { MvccStore } from "@conclave/mvcc";
import type { PeerTransport } from "@conclave/peer";
import { WireError } from "@conclave/protocol";
import type { HashKVResponse, ResponseHeader } from "@conclave/protocol/etcdserverpb";
import type { ConfChange, ConfState, Dropped, Entry, MemberProgress, Role, Snapshot } from "@conclave/raft";
import type { Deferred } from "@conclave/rpc";
import type { Alarms } from "./apply/alarms.ts";
import { readStorageVersion } from "./apply/applied-state.ts";
import { Applier, type ApplierPorts } from "./apply/applier.ts";
import type { CommandKind, CommandRequest, CommandResponse } from "./apply/commands.ts";
import type { CompactionJob } from "./apply/compaction-job.ts";
import { createStateMachine } from "./apply/state-machine.ts";
import { StoreFlusher, type StoreFlusherOptions } from "./apply/store-flusher.ts";
import type { WatchFeed } from "./apply/watch-feed.ts";
import type { SimpleTokens } from "./auth/simple-tokens.ts";
import { createAutoCompactor } from "./auto-compaction/auto-compactor.ts";
import type { MemberState } from "./bootstrap/bootstrap.ts";
import { publishAttributes } from "./consensus/attribute-publisher.ts";
import { createRequestIds, formatId, type RequestIds } from "./consensus/ids.ts";
import { Leadership } from "./consensus/leadership.ts";
import { chooseHeir, transferLeadership } from "./consensus/leadership-transfer.ts";
import { PeerLink, type PeerLinkPorts } from "./consensus/peer-link.ts";
import { createPeerQueries } from "./consensus/peer-queries.ts";
import { Proposer, type ProposerOptions } from "./consensus/proposer.ts";
import { RaftLoop, type RaftLoopPorts } from "./consensus/raft-loop.ts";
import { ReadBarrier } from "./consensus/read-barrier.ts";
import type { RequestRoute } from "./consensus/request-timeout.ts";
import { createCorruptionChecker } from "./corruption/corruption-checker.ts";
import { LeaseExpiry } from "./leases/lease-expiry.ts";
import type { MemberPorts, MemberSettings } from "./member-settings.ts";
import { minClusterVersion } from "./membership/api-version.ts";
import {
  type ClusterVersionMonitor,
  clusterVersionIntervalMs,
  createClusterVersionMonitor,
} from "./membership/cluster-version.ts";
import type { Membership } from "./membership/membership.ts";
import { startPeriodic } from "./periodic.ts";
import { LogCompactor, type LogCompactorOptions } from "./snapshot/log-compactor.ts";
import type { SnapshotFiles } from "./snapshot/snapshot-files.ts";
import { SnapshotInstaller } from "./snapshot/snapshot-installer.ts";
import type { ExportedDatabase } from "./snapshot/snapshot-stream.ts";
import { withWireErrors } from "./wire-error-mapping.ts";

/** How often the deadlines of waiting requests are looked at. */
const deadlineCheckMs = 250;
/** After how long an unanswered read index is asked for again, as in etcd. */
const readRetryMs = 500;
/** Ticks in which a member that starts must hear of a leader before it calls an election, as in etcd. */
const ticksToHear = 2;
/** Longest time a leader that stops takes to hand leadership over. */
const handOverTimeoutMs = 500;

const noLeader: Dropped = { kind: "dropped", reason: "noLeader" };

/** How often requests met with trouble. */
export interface RequestStats {
  /** Proposals that were given up. */
  readonly failedProposals: number;
  /** Questions for a read index that were left unanswered for a while. */
  readonly slowReadIndexes: number;
  /** Questions for a read index that were given up. */
  readonly failedReadIndexes: number;
  /** Heartbeats that left late by more than their interval, as this member was busy. */
  readonly lateHeartbeats: number;
}

/** From 10 ms to 164 s, as etcd's for hashes. */
const hashBounds = exponentialBounds({ start: 0.01, factor: 2, count: 15 });

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
  /** Users, roles and their permissions, as of the applied log. */
  readonly auth: AuthStore;
  /** Whom this member knows by simple tokens. */
  readonly tokens: SimpleTokens;
  /** Logins that failed since this member started. */
  failedLogins = 0;
  /** The members of the cluster, as of the applied log. */
  readonly membership: Membership;
  /** What all of these are kept in. */
  readonly backend: Backend;
  /** Deletes compacted revisions in the background. */
  readonly compaction: CompactionJob;
  /** Brings the events of commits to watchers. */
  readonly watchFeed: WatchFeed;

  /** After how long a request is given up. */
  readonly requestTimeoutMs: number;
  /** Resolves once this member has learned that it was removed from the cluster. */
  readonly removed: Promise<void>;

  /** How long hashes took, in seconds: of the whole store, and of the history up to a revision. */
  readonly hashTimes: { readonly whole: Histogram; readonly byRevision: Histogram } = {
    whole: new Histogram(hashBounds),
    byRevision: new Histogram(hashBounds),
  };

  readonly #state: MemberState;
  readonly #ids: RequestIds;
  #lateHeartbeats = 0;
  readonly #proposer: Proposer;
  readonly #applier: Applier;
  readonly #barrier: ReadBarrier;
  readonly #loop: RaftLoop;
  readonly #flusher: StoreFlusher;
  readonly #logCompactor: LogCompactor;
  readonly #leadership: Leadership;
  readonly #snapshotFiles: SnapshotFiles;
  readonly #link: PeerLink;
  readonly #installer: SnapshotInstaller;
  readonly #clusterVersion: ClusterVersionMonitor;
  readonly #jobs: Timer[] = [];
  #stopped: Error | undefined;
  #failed = false;
  #closing: Promise<void> | undefined;
  #onFailure: ((error: unknown) => void) | undefined;
  #onRemoved: () => void = () => {};
  #onGrowth: () => void = () => {};
  #onHalt: () => void = () => {};
  /** Resolves when the member takes nothing more in. */
  readonly #halted: Promise<void> = new Promise((resolve) => {
    this.#onHalt = resolve;
  });

  constructor(
    state: MemberState & { readonly snapshotFiles: SnapshotFiles },
    settings: MemberSettings,
    ports: MemberPorts,
  ) {
    this.#state = state;
    this.id = state.memberId;
    this.clusterId = state.clusterId;
    this.settings = settings;
    this.ports = ports;
    this.backend = state.backend;
    this.membership = state.membership;
    // etcd grants a request a deadline that covers a slow disk and one election.
    this.requestTimeoutMs = 5000 + 2 * settings.electionTimeoutMs;
    this.#ids = createRequestIds(state.memberId, ports.clock);
    this.#leadership = new Leadership(ports.clock);
    this.removed = new Promise((resolve) => {
      this.#onRemoved = resolve;
    });
    const machine = createStateMachine(state, {
      ...{ settings, ports },
      header: () => this.header(),
      onFailure: (error) => this.#fail(error),
    });
    this.alarms = machine.alarms;
    this.auth = machine.auth;
    this.tokens = machine.tokens;
    this.lessor = machine.lessor;
    this.store = machine.store;
    this.watchFeed = machine.watchFeed;
    this.compaction = machine.compaction;
    const { applied, confState, snapshot } = state;
    this.#proposer = new Proposer(this.#proposerOptions(), this.id);
    this.#applier = new Applier(this.#applierPorts(), { index: applied, confState });
    this.#barrier = new ReadBarrier(
      {
        scheduler: ports.scheduler,
        requestReadIndex: (context) => this.#loop.readIndex(context),
        newRequestId: () => this.#ids.next(),
      },
      applied,
    );
    this.#flusher = new StoreFlusher(this.#flusherOptions(), applied);
    this.#logCompactor = new LogCompactor(this.#logCompactorOptions(), snapshot.index);
    this.#snapshotFiles = state.snapshotFiles;
    this.#installer = new SnapshotInstaller({
      ...machine,
      files: state.snapshotFiles,
      flusher: this.#flusher,
      applier: this.#applier,
      pause: () => this.#turnEnd(),
    });
    this.#loop = new RaftLoop(this.#raftLoopPorts());
    this.#link = new PeerLink(this.#linkPorts());
    this.#clusterVersion = createClusterVersionMonitor(this);
  }

  /**
   * Starts the member's life: the way to its peers, ticks, election, background jobs.
   *
   * @param onFailure - told once if the member has to stop by itself: its disk failed or a rule of its own was broken
   * @returns when a leader is known and has taken this member's attributes, that is, when it can serve
   * @throws WireError `Stopped` if it is stopped before that
   * @throws PeerError `LISTEN` if it cannot listen for its peers
   * @throws MemberError `CORRUPT` if it was told to compare its history with that of the others, and it differs
   */
  async start(onFailure: (error: unknown) => void): Promise<void> {
    this.#onFailure = onFailure;
    const corruption = createCorruptionChecker(this);
    if (this.settings.initialCorruptCheck === true && this.#state.applied > 0) await corruption.checkInitially();
    await this.#link.open(this.#state.peers);
    const { clock, scheduler } = this.ports;
    const every = (intervalMs: number, run: (stalledMs: number) => void): void => {
      this.endWithMember(startPeriodic({ clock, scheduler, intervalMs, run }));
    };
    every(this.settings.heartbeatIntervalMs, (stalledMs) => this.#tick(stalledMs));
    every(deadlineCheckMs, () => this.#expireRequests());
    every(readRetryMs, () => this.#barrier.askAgain());
    const leaseExpiry = new LeaseExpiry(this);
    every(LeaseExpiry.intervalMs, (stalledMs) => leaseExpiry.check(stalledMs));
    every(clusterVersionIntervalMs, () => void this.#clusterVersion.check());
    const { corruptCheckMs = 0, compactHashCheckMs = 0, autoCompaction } = this.settings;
    if (corruptCheckMs > 0) every(corruptCheckMs, () => void corruption.checkPeriodically());
    if (compactHashCheckMs > 0) every(compactHashCheckMs, () => void corruption.checkCompactions());
    if (autoCompaction !== undefined) this.endWithMember(createAutoCompactor(autoCompaction, this).start());
    this.endWithMember(this.watchFeed.start());
    this.compaction.start();
    this.#takeUpRaft();
    await this.#leaderKnown();
    await publishAttributes({
      ...{ memberId: this.id, name: this.settings.name, clientUrls: this.settings.clientUrls },
      ...{ membership: this.membership, proposer: this.#proposer },
      leaderKnown: () => this.#leaderKnown(),
      linearizable: () => this.linearizable(),
    });
  }

  /** Has a listener told after each command that was applied and may have made the store larger. There is one. */
  onGrowth(listener: () => void): void {
    this.#onGrowth = listener;
  }

  /** Has a job cancelled when the member ends. */
  endWithMember(job: Timer): void {
    if (this.#stopped === undefined) this.#jobs.push(job);
    else job.cancel();
  }

  /** What this member is to raft. */
  get role(): Role {
    return this.#state.node.role;
  }

  /** The term in which this member leads and has applied everything that was committed before; else undefined. */
  get leaderTerm(): number | undefined {
    const { role, term } = this.#state.node;
    return role === "leader" && this.#applier.appliedTerm === term ? term : undefined;
  }

  /** Whether this member leads and has applied everything that was committed before its term. */
  get isConfirmedLeader(): boolean {
    return this.leaderTerm !== undefined;
  }

  /** Whether this member is a quorum by itself. */
  get confirmsItself(): boolean {
    return isOnlyVoter(this.id, this.#applier.confState);
  }

  /** Id of the leader; 0n if none is known. */
  get leader(): bigint {
    return this.#state.node.lead;
  }

  /** Since when no leader is known, in monotonic ms; undefined while one is. */
  get leaderlessSinceMs(): number | undefined {
    return this.#leadership.leaderlessSinceMs;
  }

  /**
   * Listens for changes of the leader; 0n stands for its loss.
   *
   * @returns ends the listening
   */
  onLeaderChange(listener: (leader: bigint) => void): () => void {
    return this.#leadership.onChange(listener);
  }

  /** As leader: what it knows of each member; else undefined. */
  progress(): ReadonlyMap<bigint, MemberProgress> | undefined {
    return this.#state.node.progress();
  }

  /** The ways to the other members; there from {@link Member.start} on. */
  get transport(): PeerTransport {
    return this.#link.transport;
  }

  /** Raft's view, for Status and metrics. */
  get raftStatus(): { readonly term: number; readonly commit: number; readonly applied: number } {
    const { term, commit } = this.#state.node.status;
    return { term, commit, applied: this.#applier.appliedIndex };
  }

  /** How many requests wait to be applied. */
  get pendingProposals(): number {
    return this.#proposer.size;
  }

  /** Whether a snapshot that the leader sent is being installed. */
  get isInstallingSnapshot(): boolean {
    return this.#installer.underWay !== undefined;
  }

  /** What went wrong with requests since the member was opened; for metrics. */
  get requestStats(): RequestStats {
    const { slow, failed } = this.#barrier.stats;
    return {
      failedProposals: this.#proposer.failed,
      slowReadIndexes: slow,
      failedReadIndexes: failed,
      lateHeartbeats: this.#lateHeartbeats,
    };
  }

  /** The header of a reply, as of now. */
  header(): ResponseHeader {
    return {
      clusterId: this.clusterId,
      memberId: this.id,
      revision: this.store.currentRevision,
      raftTerm: this.#state.node.term,
    };
  }

  /**
   * Proposes a command and waits until it is applied here.
   *
   * @param caller - the client in whose name; default: the member itself, which may do everything
   * @returns the result of applying it, durable on a quorum
   * @throws WireError what applying it refused, `RequestTooLarge`, `RequestTooManyRequests`, `Stopped`, or `Timeout`,
   * `TimeoutDueToLeaderFail` or `TimeoutDueToConnectionLost`: then it may or may not be applied later
   */
  async propose<K extends CommandKind>(
    kind: K,
    request: CommandRequest<K>,
    caller: Caller = this.auth.asRoot(),
  ): Promise<CommandResponse<K>> {
    return await this.submit(kind, request, caller);
  }

  /** As {@link Member.propose}, for who proposes often: it adds no promise. */
  submit<K extends CommandKind>(kind: K, request: CommandRequest<K>, caller: Caller): Deferred<CommandResponse<K>> {
    if (this.#stopped !== undefined) throw this.#stopped;
    return this.#proposer.propose(kind, request, { caller });
  }

  /**
   * Proposes a command at this member's own raft or not at all. The caller has made sure, in this turn, that it leads.
   *
   * @throws WireError as {@link Member.propose}, and `NotLeader` if raft did not append it
   */
  async proposeAsLeader<K extends CommandKind>(kind: K, request: CommandRequest<K>): Promise<CommandResponse<K>> {
    if (this.#stopped !== undefined) throw this.#stopped;
    return await this.#proposer.proposeAsLeader(kind, request, { caller: this.auth.asRoot() });
  }

  /**
   * Proposes a change of the membership and waits until it is applied here.
   *
   * @throws WireError as {@link Member.propose}
   */
  proposeConfChange(change: Omit<ConfChange, "id">): Promise<void> {
    return this.#stopped === undefined ? this.#proposer.proposeConfChange(change) : Promise.reject(this.#stopped);
  }

  /**
   * Waits until a read of the local state is linearizable.
   *
   * @throws WireError `Timeout`, `LeaderChanged` or `Stopped`
   */
  linearizable(): Promise<void> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    return this.#barrier.wait(this.ports.clock.monotonicMs() + this.requestTimeoutMs);
  }

  /**
   * Waits until local state may be read, which while a snapshot is being installed it may not.
   *
   * @returns undefined if nothing has to be waited for
   * @throws WireError as {@link Member.linearizable}, unless the read is content with what this member has
   */
  readable({ serializable }: { readonly serializable: boolean }): Promise<void> | undefined {
    return serializable ? this.#installer.underWay : this.linearizable();
  }

  /** Lets others work between two slices of a long read; resolves when the state may be read on. */
  async nextSlice(): Promise<void> {
    await this.#turnEnd();
    await this.#installer.underWay;
  }

  /** Does long work on the state a slice at a time; begins it anew if the state is replaced meanwhile. */
  async inSlices<R>(begin: () => Iterator<unknown, R>): Promise<R> {
    for (;;) {
      await this.#installer.underWay;
      const { count } = this.#installer;
      const work = withWireErrors(begin);
      while (this.#installer.count === count) {
        const step = withWireErrors(() => work.next());
        if (step.done === true) return step.value;
        await this.nextSlice();
      }
    }
  }

  /**
   * The hash of the history up to a revision, of what this member has.
   *
   * @param revision - 0 for the current one
   * @throws WireError `Compacted` or `FutureRev`
   */
  async hashKv(revision: number): Promise<HashKVResponse> {
    let header: ResponseHeader | undefined;
    const { clock } = this.ports;
    const startMs = clock.monotonicMs();
    const hash = await this.inSlices(() => {
      header = this.header();
      return this.store.hashKv(revision);
    });
    this.hashTimes.byRevision.observe((clock.monotonicMs() - startMs) / 1000);
    return { header, ...hash };
  }

  /** Waits until a quorum has confirmed that this member still leads; undefined if it needs nobody for that. */
  confirmLeadership(): Promise<void> | undefined {
    return this.confirmsItself ? undefined : this.linearizable();
  }

  /**
   * Hands leadership over, from wherever this member stands.
   *
   * @param timeoutMs - after how long to give up; default: an election timeout
   * @returns when this member knows the other one as leader
   * @throws WireError `Timeout`, or `BadLeaderTransferee` for one that cannot lead
   */
  async transferLeadership(to: bigint, timeoutMs: number = this.settings.electionTimeoutMs): Promise<void> {
    if (this.#stopped !== undefined) throw this.#stopped;
    if (this.leader === to) return;
    const { scheduler } = this.ports;
    await transferLeadership(to, { leadership: this.#leadership, raft: this.#loop, scheduler }, timeoutMs);
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
   * Copies the present state out into a file, as etcd's database, while writes go on. Whoever asked releases it.
   *
   * @param signal - gives up
   * @throws the reason of the signal, WireError `Stopped`, or the error of the disk
   */
  async exportDatabase(signal: AbortSignal): Promise<ExportedDatabase> {
    await this.flush();
    if (this.#stopped !== undefined) throw this.#stopped;
    const view = this.backend.openView();
    const pause = async (): Promise<void> => {
      await this.#turnEnd();
      signal.throwIfAborted();
      if (this.#stopped !== undefined) throw this.#stopped;
    };
    try {
      const storageVersion = readStorageVersion(view);
      return { ...(await this.#snapshotFiles.export(view, pause)), storageVersion };
    } finally {
      view.close();
    }
  }

  /**
   * As leader of others, hands leadership over to the follower that has been connected for longest, so that they need no
   * election. Does its best within half a second.
   */
  async handOver(): Promise<void> {
    if (this.role !== "leader" || this.#stopped !== undefined) return;
    const { voters } = this.#applier.confState;
    const heir = chooseHeir({ self: this.id, voters, activeSince: (id) => this.#link.activeSince(id) });
    if (heir === undefined) return;
    // Whoever stops anyway leaves the rest to an election.
    await this.transferLeadership(heir, handOverTimeoutMs).catch(() => {});
  }

  /**
   * Ends the member: a leader hands over, waiting requests get `server stopped`, applied state is persisted, files are
   * let go. A member that has failed persists nothing more and only lets go.
   */
  async stop(): Promise<void> {
    await this.handOver();
    const first = this.#halt();
    await this.#link.close();
    await this.#loop.stop();
    if (first) await this.#flusher.flush();
    this.#closing ??= this.#close();
    await this.#closing;
  }

  /** Ends the member as a crash would, for the simulation: nothing more is persisted. */
  async abort(): Promise<void> {
    this.#halt();
    await this.#link.close();
    await this.#loop.stop();
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #install(snapshot: Snapshot): Promise<void> {
    const { index } = snapshot.metadata;
    await this.#installer.install(snapshot);
    this.#link.followMembership();
    this.#barrier.onApplied(index);
    this.#logCompactor.onInstalled(index);
    await this.#state.wal.release(index);
    await this.#snapshotFiles.removeUpTo(index);
    this.ports.log.info("installed a snapshot", { "snapshot-index": index });
  }

  /** What is sent to a leader that cannot be reached is lost for certain: it waits for a leader that can. */
  readonly #reachableRaft: Pick<RaftLoop, "propose" | "proposeConfChange"> = {
    propose: (data) => (this.#isLeaderReachable ? this.#loop.propose(data) : noLeader),
    proposeConfChange: (change) => (this.#isLeaderReachable ? this.#loop.proposeConfChange(change) : noLeader),
  };

  get #isLeaderReachable(): boolean {
    const { leader } = this;
    return leader === this.id || leader === 0n || this.#link.activeSince(leader) !== undefined;
  }

  #route(): RequestRoute {
    const { electedMs } = this.#leadership;
    return {
      self: this.id,
      leader: this.leader,
      electedMs,
      electionTimeoutMs: this.settings.electionTimeoutMs,
      voters: this.#applier.confState.voters,
      activeSince: (id) => this.#link.activeSince(id),
    };
  }

  /** One that needs nobody's vote leads at once; others wait for a leader, but not as long as for one that is lost. */
  #takeUpRaft(): void {
    const { electionTimeoutMs, heartbeatIntervalMs, initialElectionTickAdvance = true } = this.settings;
    if (isOnlyVoter(this.id, this.#state.node.confState)) this.#loop.campaign();
    const ticks = initialElectionTickAdvance ? Math.floor(electionTimeoutMs / heartbeatIntervalMs) - ticksToHear : 0;
    for (let tick = 0; tick < Math.max(1, ticks); tick++) this.#loop.tick();
  }

  #tick(stalledMs: number): void {
    if (stalledMs > this.settings.heartbeatIntervalMs && this.leader === this.id) this.#lateHeartbeats++;
    this.#loop.tick();
    this.#proposer.retryUnsent();
  }

  #turnEnd(): Promise<void> {
    return new Promise((resolve) => this.ports.scheduler.atTurnEnd(resolve));
  }

  #proposerOptions(): ProposerOptions {
    return {
      clock: this.ports.clock,
      ids: this.#ids,
      raft: () => this.#reachableRaft,
      route: () => this.#route(),
      timeoutMs: this.requestTimeoutMs,
      maxRequestBytes: this.settings.maxRequestBytes,
      // While nothing is agreed on, members of any version may be there.
      clusterVersion: () => this.membership.clusterVersion ?? minClusterVersion,
    };
  }

  #linkPorts(): PeerLinkPorts {
    const { id: memberId, clusterId, membership, backend, ports, settings } = this;
    return {
      self: { memberId, clusterId, peerUrls: settings.peerUrls },
      network: ports.peers,
      raft: this.#loop,
      membership,
      files: this.#snapshotFiles,
      queries: createPeerQueries(this),
      snapshots: { backend, flush: () => this.#flusher.flush(), pause: () => this.#turnEnd() },
      onRemoved: () => this.#onRemoved(),
      log: ports.log,
    };
  }

  #applierPorts(): ApplierPorts {
    const { backend, store, lessor, alarms, auth, tokens, membership } = this;
    return {
      ...{ backend, store, lessor, alarms, auth, tokens, membership },
      rules: { maxLearners: this.settings.maxLearners ?? 1 },
      header: () => this.header(),
      nowMs: () => this.ports.clock.monotonicMs(),
      proposalOf: (entry) => this.#proposer.proposalOf(entry),
      settleOwn: (proposal, outcome) => this.#proposer.settleOwn(proposal, outcome),
      settle: (id, outcome) => this.#proposer.settle(id, outcome),
      applyConfChange: (change) => this.#state.node.applyConfChange(change),
      onMembershipChange: (delta) => this.#link.onMembershipChange(delta),
      onCompaction: () => this.compaction.start(),
      meter: this.ports.applyMeter,
      onGrowth: () => this.#onGrowth(),
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
      ...{ wal, log, flusher: this.#flusher },
      snapshotCount: this.settings.snapshotCount,
      catchUpEntries: this.settings.snapshotCatchUpEntries ?? 5000,
      confState: () => this.#applier.confState,
      onFailure: (error) => this.#fail(error),
      onSnapshot: (index) => this.ports.log.info("saved snapshot record", { "snapshot-index": index }),
    };
  }

  #raftLoopPorts(): RaftLoopPorts {
    const { node, log, wal } = this.#state;
    return {
      ...{ node, log, wal, scheduler: this.ports.scheduler },
      send: (messages) => this.#link.send(messages),
      install: (snapshot) => this.#install(snapshot),
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
    this.#proposer.abandon(this.#stopped);
    this.#barrier.abandon(this.#stopped);
    this.#onHalt();
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

  #expireRequests(): void {
    const nowMs = this.ports.clock.monotonicMs();
    this.#proposer.expire(nowMs);
    this.#barrier.expire(nowMs);
  }

  #apply(entries: readonly Entry[]): Promise<void> | undefined {
    for (const entry of entries) this.#applier.apply(entry);
    const index = this.#applier.appliedIndex;
    this.#barrier.onApplied(index);
    // Only now is every revoke of earlier terms applied, so that no lease is given time it no longer has.
    if (!this.lessor.primary && this.isConfirmedLeader) this.#becomePrimary();
    this.#logCompactor.afterApply(index);
    return this.#flusher.afterApply();
  }

  #onSoftState(): void {
    const { role, lead, term } = this.#state.node;
    if (role !== "leader" && this.lessor.primary) this.lessor.demote();
    this.ports.log.info("raft role changed", { role, term, leader: formatId(lead) });
    if (this.#stopped !== undefined || lead === this.#leadership.leader) return;
    // Whom the former leader was asked by gets no answer from it.
    if (lead !== 0n) this.#barrier.onLeaderChange();
    this.#leadership.update(lead);
    this.#proposer.retryUnsent();
  }

  #becomePrimary(): void {
    this.lessor.promote(this.ports.clock.monotonicMs(), this.settings.electionTimeoutMs);
    void this.#clusterVersion.check();
  }

  async #leaderKnown(): Promise<void> {
    if (this.#leadership.leader === 0n) {
      await new Promise<void>((resolve) => {
        const stopListening = this.onLeaderChange(() => {
          stopListening();
          resolve();
        });
        void this.#halted.then(resolve);
      });
    }
    if (this.#stopped !== undefined) throw this.#stopped;
  }
}

function isOnlyVoter(id: bigint, { voters }: ConfState): boolean {
  return voters.length === 1 && voters[0] === id;
}
