/**
 * @module One run of the simulation: a cluster, clients that read, write, lock and watch, everything that can go wrong,
 * and in the end the checkers. The seed decides all of it.
 */
import type { Random } from "@conclave/base";
import type { Message } from "@conclave/raft";
import type { Member } from "@conclave/server";
import {
  checkKvLinearizability,
  checkKvOrder,
  checkWatch,
  defaultFaults,
  type FaultKind,
  FaultSchedule,
  HistoryRecorder,
  type KvAnswer,
  type KvOperation,
  KvWorkload,
  type KvWorkloadOptions,
  linearizabilityText,
  OwnershipWorkload,
  operationsOf,
  RecordingWatcher,
  SafetyObserver,
  SimulatedCluster,
  seededRandom,
  type Verdict,
  watchSubject,
} from "@conclave/testkit";

/** What to run. */
export interface SimulationOptions {
  /** Decides everything. */
  readonly seed: number;
  /** How long things go wrong, in seconds of the simulation. */
  readonly seconds: number;
}

/** How a run ended. */
export interface SimulationReport {
  readonly seed: number;
  /** Time that passed in the simulation. */
  readonly virtualMs: number;
  /** Operations of the clients that were answered. */
  readonly operations: number;
  /** How often each kind of fault happened. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  /** Stands for everything that happened. */
  readonly traceHash: string;
  /** What must not be, in words; empty if all is well. */
  readonly violations: readonly string[];
  /** The last things that happened, if all is not well. */
  readonly trace: readonly string[];
}

/** How often the members are looked at. */
const sampleMs = 25;
/** Most states that the search for an order of all operations looks at. */
const statesMax = 200_000;
/** One fault often breaks a rule again and again. */
const violationsMax = 20;
/** Longest time that a repaired cluster takes to agree, and its watchers to hear of it. */
const convergenceMs = 60_000;

/** Runs one seed. */
export async function runSimulation(options: SimulationOptions): Promise<SimulationReport> {
  return await new Simulation(options).run();
}

/** Clients that find a member that serves, and ones that ask theirs again and again while it can answer at all. */
const patient: Partial<KvWorkloadOptions> = {};
const hasty: Partial<KvWorkloadOptions> = { clients: 6, isPinned: true, thinkMs: 50, timeoutMs: 400 };

/** Either clients write keys only, so that every revision can be accounted for, or they take locks and leases too. */
type Load = "keys" | "locks";

class Simulation {
  readonly #options: SimulationOptions;
  readonly #load: Load;
  readonly #cluster: SimulatedCluster;
  readonly #safety = new SafetyObserver();
  readonly #recorder: HistoryRecorder<KvOperation, KvAnswer>;
  readonly #violations: string[] = [];
  readonly #givenUp: Promise<void>;
  #giveUp: () => void = () => {};
  readonly #kv: KvWorkload;
  readonly #ownership: OwnershipWorkload;
  readonly #watchers: readonly RecordingWatcher[];
  readonly #faults: FaultSchedule;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#givenUp = new Promise((resolve) => {
      this.#giveUp = resolve;
    });
    const random = seededRandom(options.seed);
    const draw = () => seededRandom(random.below(2 ** 31));
    const pick = <T>(...choices: readonly T[]): T => choices[random.below(choices.length)] as T;
    this.#load = pick("keys", "locks");
    const [snapshotCount, snapshotCatchUpEntries] = pick([20, 5], [100, 50], [10_000, 5_000]);
    this.#cluster = new SimulatedCluster({
      seed: options.seed,
      members: pick(3, 3, 3, 5, 1),
      settings: {
        snapshotCount,
        snapshotCatchUpEntries,
        walSegmentBytes: pick(4, 64) * 1024,
        preVote: pick(true, true, false),
        // At 1 every entry travels alone.
        maxMessageBytes: pick(1024 * 1024, 1024 * 1024, 1),
      },
      network: { interruption: 0.2, onSend: (message) => this.#onSend(message) },
      // What a member has learned alone may be in its log, and it starts with that.
      onEnd: (member) => this.#observe(member),
    });
    const cluster = this.#cluster;
    this.#recorder = new HistoryRecorder(cluster.time);
    this.#watchers = this.#load === "keys" ? [draw(), draw()].map((each) => this.#watcher(each)) : [];
    const compactTo = () => Math.min(...this.#watchers.map(({ cursor }) => cursor));
    this.#kv = new KvWorkload({
      cluster,
      random: draw(),
      recorder: this.#recorder,
      compactTo,
      ...pick(patient, hasty),
    });
    const [contenders, keepers, lateKeepers] = this.#load === "locks" ? [3, 2, 2] : [0, 0, 0];
    const ttlSec = pick(3, 6);
    const onViolation = (message: string) => this.#violate(message);
    const keeping = { contenders, keepers, lateKeepers, ttlSec };
    this.#ownership = new OwnershipWorkload({ cluster, random: draw(), ...keeping, onViolation });
    this.#faults = new FaultSchedule({
      cluster,
      random: draw(),
      weights: swarm(draw()),
      everyMs: pick(800, 2_000, 4_000),
    });
  }

  async run(): Promise<SimulationReport> {
    const cluster = this.#cluster;
    try {
      await cluster.run(() => Promise.race([this.#scenario(), this.#givenUp]), (this.#options.seconds + 900) * 1000);
    } catch (error) {
      this.#violate(errorText(error));
    }
    this.#judge();
    return {
      seed: this.#options.seed,
      virtualMs: cluster.time.monotonicMs(),
      operations: this.#kv.answered + this.#ownership.fencedWrites + this.#ownership.keptLooks,
      faults: this.#faults.counts,
      traceHash: cluster.trace.hash,
      violations: this.#violations,
      trace: this.#violations.length > 0 ? cluster.trace.tail : [],
    };
  }

  async #scenario(): Promise<void> {
    const cluster = this.#cluster;
    await cluster.start();
    this.#sample();
    const work = [this.#kv.run(), this.#ownership.run(), this.#faults.run()];
    const watches = this.#watchers.map((watcher) => watcher.run());
    await cluster.sleep(this.#options.seconds * 1000);
    await this.#faults.repair();
    this.#kv.stop();
    this.#ownership.stop();
    await Promise.all(work);
    await cluster.waitForLeader(convergenceMs);
    await this.#kv.readAll();
    await this.#catchUp();
    await this.#converge();
    for (const watcher of this.#watchers) watcher.stop();
    await Promise.all(watches);
  }

  #watcher(random: Random): RecordingWatcher {
    const { transport, time } = this.#cluster.client();
    const endpoints = () => [...this.#cluster.machines.values()].map(({ endpoint }) => endpoint);
    return new RecordingWatcher({ transport, time, random, endpoints });
  }

  #onSend(message: Message): void {
    this.#watching(() => this.#safety.onMessage(message));
    this.#faults.onMessage(message);
  }

  /** Looks at the state of every member now and then. */
  #sample(): void {
    for (const { member, state } of this.#cluster.machines.values()) {
      if (member !== undefined && (state === "running" || state === "starting")) this.#observe(member);
    }
    this.#cluster.time.after(sampleMs, () => this.#sample());
  }

  #observe(member: Member): void {
    // While a snapshot is being installed the state is neither the old nor the new one.
    if (member.readable({ serializable: true }) !== undefined) return;
    const { commit, applied } = member.raftStatus;
    const observed = { id: member.id, commit, applied, revision: member.store.currentRevision };
    this.#watching(() => this.#safety.onState(observed));
  }

  #watching(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#violate(`at ${this.#cluster.time.monotonicMs()} ms: ${(error as Error).message}`);
    }
  }

  /** Takes note of what must not be; a run in which something is wrong is not carried on. */
  #violate(message: string): void {
    if (this.#violations.length < violationsMax) this.#violations.push(message);
    this.#giveUp();
  }

  /** Waits until every watcher has heard of a last write. */
  async #catchUp(): Promise<void> {
    if (this.#watchers.length === 0) return;
    let revision: number | undefined;
    // A single write may still meet a connection that was broken before, and have an unknown outcome.
    for (let attempt = 0; attempt < 5 && revision === undefined; attempt++) revision = await this.#kv.writeOnce();
    if (revision === undefined) this.#violate("a repaired cluster takes no write");
    else if (!(await this.#comesTrue(() => this.#watchers.every(({ cursor }) => cursor >= revision))))
      this.#violate(`a watcher does not hear of revision ${revision}: ${this.#watchers.map((each) => each.cursor)}`);
  }

  /** Waits until all members have applied the same, and compares what they have come to. */
  async #converge(): Promise<void> {
    const applied = () => this.#membersInForce().map((member) => member?.raftStatus.applied);
    const areEven = () => applied().length > 0 && !applied().includes(undefined) && new Set(applied()).size === 1;
    if (!(await this.#comesTrue(areEven))) {
      this.#violate(`the members do not come together: they have applied ${applied()}`);
      return;
    }
    const states = this.#membersInForce().flatMap((member) => (member === undefined ? [] : [stateOf(member)]));
    if (new Set(states).size > 1) this.#violate(`the members have come to different states: ${states}`);
  }

  async #comesTrue(condition: () => boolean): Promise<boolean> {
    const endMs = this.#cluster.time.monotonicMs() + convergenceMs;
    while (!condition()) {
      if (this.#cluster.time.monotonicMs() > endMs) return false;
      await this.#cluster.sleep(100);
    }
    return true;
  }

  /** The running members of the cluster as its leader knows it; undefined for one that does not run. */
  #membersInForce(): readonly (Member | undefined)[] {
    const leader = this.#cluster.leader();
    const membership = leader === undefined ? undefined : this.#cluster.machine(leader).member?.membership;
    const machines = [...this.#cluster.machines.values()];
    return (membership?.members() ?? [])
      .filter(({ name }) => name !== "")
      .map(({ id }) => machines.find(({ member }) => member?.id === id)?.member);
  }

  #judge(): void {
    for (const { machine, error } of this.#cluster.failures)
      if (!isDiskFailure(error)) this.#violate(`${machine} failed: ${errorText(error)}`);
    if (this.#violations.length > 0) return;
    const operations = operationsOf(this.#recorder.events);
    if (this.#load === "locks") {
      // Where many outcomes are unknown the search may have no end in sight: such a run shows nothing either way.
      const verdict = checkKvLinearizability(operations, { statesMax });
      if (verdict.kind === "violated") this.#violate(linearizabilityText(verdict));
      return;
    }
    const [history = []] = this.#watchers.map(({ events }) => events);
    this.#take("the order of all operations", checkKvOrder({ operations, events: history }).verdict);
    for (const { records } of this.#watchers) {
      // How far values before are compacted is not known to a client: those that miss are taken for compacted.
      const compactRevision = Number.POSITIVE_INFINITY;
      this.#take("a watch", checkWatch({ request: watchSubject, records, history, compactRevision }));
    }
  }

  #take(what: string, verdict: Verdict): void {
    if (verdict.kind === "violated")
      for (const { rule, message } of verdict.violations) this.#violate(`${what} breaks '${rule}': ${message}`);
  }
}

/**
 * Leaves some kinds of faults out and lets others happen often: what only comes of many faults of one kind is found
 * sooner than if every run had a little of all (Groce and others, Swarm Testing, 2012).
 */
function swarm(random: Random): Partial<Record<FaultKind, number>> {
  const factors = [0, 1, 1, 6];
  return Object.fromEntries(
    Object.entries(defaultFaults).map(([kind, weight]) => [kind, weight * (factors[random.below(4)] as number)]),
  );
}

/** Everything that members must agree on. */
function stateOf(member: Member): string {
  const members = member.membership.members().map(({ id, name, isLearner }) => `${id} ${name} ${isLearner}`);
  return `hash ${hashOf(member)}, leases ${member.lessor.leases().sort()}, members ${members.sort().join("; ")}`;
}

function hashOf({ store }: Member): number {
  const slices = store.hashKv(0);
  for (;;) {
    const step = slices.next();
    if (step.done === true) return step.value.hash;
  }
}

/** A disk that a fault has filled or broken stops its member, as it should. */
function isDiskFailure(error: unknown): boolean {
  return error instanceof Error && error.name === "WalError" && "code" in error && error.code === "DISK";
}

function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.stack ?? error.message}${error.cause === undefined ? "" : `\ncaused by ${errorText(error.cause)}`}`;
}
