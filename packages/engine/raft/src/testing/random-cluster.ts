/**
 * @module A cluster to which everything happens that can: messages are lost, duplicated and reordered, the network
 * is partitioned, members crash between any two steps of their work and lose what they had not synced, the
 * membership and the leadership change, logs are compacted. One seed determines the run.
 */
import { emptyBytes, invariant, type Random, utf8 } from "@conclave/base";
import { maySendBeforeSave } from "../message.ts";
import { majority } from "../quorum.ts";
import type { ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfState, Message } from "../types.ts";
import { SafetyChecker } from "./safety-checker.ts";
import { SimulatedMember } from "./simulated-member.ts";

/** How often something happens, relative to the rest. */
type Weighted = readonly [weight: number, action: () => void];

/** What the cluster is made of. */
export interface RandomClusterOptions {
  readonly random: Pick<Random, "below">;
  /** How many members vote at first. */
  readonly voters: number;
  /** How many more may join. */
  readonly newcomers: number;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
}

const maxNetworkMessages = 60;

/** A cluster with its network and its fate. */
export class RandomCluster {
  readonly safety = new SafetyChecker();
  readonly #random: Pick<Random, "below">;
  readonly #members = new Map<bigint, SimulatedMember>();
  readonly #actions: readonly Weighted[];
  readonly #totalWeight: number;
  #network: Message[] = [];
  /** The side of the partition each member is on. */
  #sides = new Map<bigint, number>();
  #names = 0;

  constructor(options: RandomClusterOptions) {
    this.#random = options.random;
    const everyone = Array.from({ length: options.voters + options.newcomers }, (_, at) => BigInt(at + 1));
    const confState: ConfState = {
      voters: everyone.slice(0, options.voters),
      learners: [],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    };
    for (const id of everyone) this.#add(id, confState, options);
    this.#actions = this.#fate();
    this.#totalWeight = this.#actions.reduce((sum, [weight]) => sum + weight, 0);
  }

  #add(id: bigint, confState: ConfState, options: RandomClusterOptions): void {
    const { random, preVote, checkQuorum } = options;
    const config = {
      electionTicks: 6,
      heartbeatTicks: 2,
      random,
      preVote,
      checkQuorum,
      maxMessageBytes: 150,
      maxCommittedBytes: 300,
      maxInflightMessages: 3,
      maxUncommittedBytes: 200,
    };
    this.#members.set(id, new SimulatedMember({ id, confState, config, observer: this.safety }));
  }

  /** Some runs are calm, so that much is decided, and some are rough, so that little is spared. */
  #fate(): readonly Weighted[] {
    const roughness = 1 + this.#random.below(6);
    return [
      [80 * roughness, () => this.#onAnyUp((member) => member.node.tick())],
      [2000, () => this.#deliver()],
      [20 * roughness, () => this.#lose()],
      [1500, () => this.#onAnyUp((member) => this.#work(member))],
      [400, () => this.#onAnyUp((member) => this.#propose(member))],
      [200, () => this.#onAnyUp((member) => this.#proposeConfChange(member))],
      [1000, () => this.#onAnyUp((member) => this.#read(member))],
      [5 * roughness, () => this.#onAnyUp((member) => member.node.transferLeadership(this.#anyId()))],
      [6, () => this.#onAnyUp((member) => member.node.reportUnreachable(this.#anyId()))],
      [20, () => this.#onAnyUp((member) => this.#compact(member))],
      [4 * roughness, () => this.#onAnyUp((member) => this.#crash(member))],
      [40, () => this.#restart()],
      [2 * roughness, () => this.#partition()],
      // Partitions last, so that a leader that was cut off is asked to read when another one has committed.
      [2, () => this.#heal()],
    ];
  }

  /** Lets one thing happen, and checks that nothing has been broken. */
  step(): void {
    let at = this.#random.below(this.#totalWeight);
    for (const [weight, action] of this.#actions) {
      at -= weight;
      if (at >= 0) continue;
      action();
      break;
    }
    this.#check();
  }

  #check(): void {
    for (const member of this.#members.values()) this.safety.check(member, this.#members);
  }

  /** Ends all trouble and waits until every member of the cluster has applied the same. */
  converge(): void {
    this.#heal();
    for (const member of this.#members.values()) if (!member.isUp) member.restart();
    for (let round = 0; round < 400; round++) {
      for (const member of this.#members.values()) member.node.tick();
      this.#runToRest();
      if (this.#hasConverged()) return;
    }
    invariant(false, "a healed cluster converges", this.describe());
  }

  #runToRest(): void {
    for (let turn = 0; turn < 60; turn++) {
      for (const member of this.#members.values()) while (this.#work(member)) this.#check();
      const messages = this.#network;
      this.#network = [];
      if (messages.length === 0) return;
      for (const message of messages) {
        this.#receive(message);
        this.#check();
      }
    }
  }

  #hasConverged(): boolean {
    const leaders = [...this.#members.values()].filter((member) => member.node.status.role === "leader");
    const [leader] = leaders;
    if (leader === undefined || leaders.length > 1) return false;
    const { voters, learners, votersOutgoing } = leader.node.confState;
    const { lastIndex, applied } = leader.node.status;
    const members = [...voters, ...learners, ...votersOutgoing].map((id) => this.#members.get(id));
    return (
      applied === lastIndex &&
      members.every((member) => member?.state.index === applied && member.state.digest === leader.state.digest)
    );
  }

  /** How every member stands. */
  describe(): string {
    return [...this.#members.values()]
      .map(
        ({ id, node: { status } }) => `${id} ${status.role} term ${status.term} ${status.commit}/${status.lastIndex}`,
      )
      .join("; ");
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items.length === 0 ? undefined : items[this.#random.below(items.length)];
  }

  #anyId(): bigint {
    return BigInt(this.#random.below(this.#members.size) + 1);
  }

  #onAnyUp(action: (member: SimulatedMember) => void): void {
    const member = this.#pick([...this.#members.values()].filter(({ isUp }) => isUp));
    if (member !== undefined) action(member);
  }

  /** One step of a member's work on its Ready. @returns whether there was one */
  #work(member: SimulatedMember): boolean {
    switch (member.stage) {
      case "idle": {
        if (!member.node.hasReady()) return false;
        const ready = member.take();
        this.safety.onReady(ready);
        this.#send(ready.messages.filter(maySendBeforeSave));
        return true;
      }
      case "taken":
        member.save();
        return true;
      case "saved":
        this.#send(member.finish().filter((message) => !maySendBeforeSave(message)));
        return true;
    }
  }

  #send(messages: readonly Message[]): void {
    this.#network.push(...messages);
    while (this.#network.length > maxNetworkMessages) this.#lose();
  }

  #deliver(): void {
    if (this.#network.length === 0) return;
    // Mostly in order, for else little would ever succeed.
    const reach = this.#random.below(4) === 0 ? this.#network.length : Math.min(3, this.#network.length);
    const at = this.#random.below(reach);
    const message = this.#network[at] as Message;
    if (this.#random.below(20) > 0) this.#network.splice(at, 1);
    this.#receive(message);
  }

  #receive(message: Message): void {
    const receiver = this.#members.get(message.to);
    const isReachable = receiver?.isUp === true && this.#sides.get(message.from) === this.#sides.get(message.to);
    if (isReachable) receiver.node.step(message);
    this.#reportSnapshot(message, isReachable ? "finish" : "failure");
  }

  #lose(): void {
    if (this.#network.length === 0) return;
    const [message] = this.#network.splice(this.#random.below(this.#network.length), 1);
    if (message !== undefined) this.#reportSnapshot(message, "failure");
  }

  /** The transport owes the sender a word on each snapshot. */
  #reportSnapshot(message: Message, status: "finish" | "failure"): void {
    const sender = this.#members.get(message.from);
    if (message.type === "MsgSnap" && sender?.isUp === true) sender.node.reportSnapshot(message.to, status);
  }

  #propose(member: SimulatedMember): void {
    member.node.propose(utf8(`c${this.#names++}`));
  }

  #read(member: SimulatedMember): void {
    const name = `r${this.#names++}`;
    this.safety.onReadRequest(name);
    member.node.readIndex(utf8(name));
  }

  #proposeConfChange(member: SimulatedMember): void {
    const types: readonly ConfChangeType[] = ["addNode", "removeNode", "addLearnerNode", "updateNode"];
    const transitions: readonly ConfChangeTransition[] = ["auto", "jointImplicit", "jointExplicit"];
    const single = (): ConfChangeSingle => ({ type: this.#pick(types) ?? "addNode", nodeId: this.#anyId() });
    const changes = Array.from({ length: this.#random.below(4) }, single);
    const [only] = changes;
    if (!this.#leavesMajority(member, changes)) return;
    if (only !== undefined && changes.length === 1 && this.#random.below(2) === 0)
      member.node.proposeConfChange({ ...only, id: 0n, context: emptyBytes });
    else {
      const transition = changes.length === 0 ? "auto" : (this.#pick(transitions) ?? "auto");
      member.node.proposeConfChange({ transition, changes, context: emptyBytes });
    }
  }

  /**
   * Whether the voters that stay are a majority of those before. If not, a crash at the wrong moment can leave a
   * cluster in which those who stay need the vote of one who has left with a longer log: safe, but stuck.
   */
  #leavesMajority(member: SimulatedMember, changes: readonly ConfChangeSingle[]): boolean {
    const { voters } = member.node.confState;
    const left = new Set(changes.filter(({ type }) => type !== "addNode").map(({ nodeId }) => nodeId));
    return voters.filter((id) => !left.has(id)).length >= majority(voters.length);
  }

  #compact(member: SimulatedMember): void {
    if (member.stage === "idle") member.compact(this.#random.below(8));
  }

  #crash(member: SimulatedMember): void {
    // Some of what was being written may have reached the disk.
    if (member.stage === "taken") member.tear(this.#random.below(3));
    member.crash();
  }

  #restart(): void {
    this.#pick([...this.#members.values()].filter(({ isUp }) => !isUp))?.restart();
  }

  #partition(): void {
    this.#sides = new Map([...this.#members.keys()].map((id) => [id, this.#random.below(2)]));
  }

  #heal(): void {
    this.#sides = new Map();
  }
}
