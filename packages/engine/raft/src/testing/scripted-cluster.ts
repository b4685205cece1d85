/** @module The commands of the interaction scripts: a few members in one process, every message in plain sight. */
import { emptyBytes, utf8 } from "@conclave/base";
import type { RaftConfig } from "../config.ts";
import { emptyConfState } from "../configuration.ts";
import { createMessage, maySendBeforeSave } from "../message.ts";
import type { Ready } from "../ready.ts";
import type { ProposeResult, StepResult } from "../results.ts";
import { emptySnapshot } from "../snapshot.ts";
import type {
  ConfChangeSingle,
  ConfChangeTransition,
  ConfState,
  Entry,
  Message,
  MessageType,
  Snapshot,
} from "../types.ts";
import { describeConfState, describeEntry, describeMessage, describeReady } from "./describe-message.ts";
import { SafetyChecker } from "./safety-checker.ts";
import type { Command } from "./script.ts";
import { SimulatedMember } from "./simulated-member.ts";

/** More than any script needs: a cluster that does not come to rest is broken. */
const maxRounds = 200;

function ids(text: string | undefined): readonly bigint[] {
  return text === undefined || text === "" ? [] : text.split(",").map(BigInt);
}

function describeResult(result: ProposeResult | StepResult): readonly string[] {
  switch (result.kind) {
    case "accepted":
      return [`accepted at ${result.index}/${result.term}`];
    case "forwarded":
      return [`forwarded to ${result.to}`];
    case "dropped":
      return [`dropped: ${result.reason}${result.detail === undefined ? "" : ` (${result.detail})`}`];
    case "taken":
      return [];
  }
}

/** Runs the commands of one script. */
export class ScriptedCluster {
  #members = new Map<bigint, SimulatedMember>();
  #safety = new SafetyChecker();
  #network: Message[] = [];
  #isQuiet = false;

  /** Runs a command; unknown ones fail. */
  run(command: Command): readonly string[] {
    const lines = this.#dispatch(command);
    this.#check();
    return this.#isQuiet && command.name !== "status" ? [] : lines;
  }

  #check(): void {
    for (const member of this.#members.values()) this.#safety.check(member, this.#members);
  }

  #dispatch(command: Command): readonly string[] {
    switch (command.name) {
      case "cluster":
        return this.#create(command);
      case "quiet":
        this.#isQuiet = command.positional[0] === "on";
        return [];
      case "ready":
        return this.#ready(this.#member(command));
      case "stabilize":
        return this.#stabilize(command);
      case "deliver":
      case "drop":
        return this.#deliver(command);
      case "inject":
        return this.#inject(command);
      case "status":
      case "progress":
      case "log":
        return this.#show(command);
      default:
        return this.#drive(command);
    }
  }

  /** What happens to one member. */
  #drive(command: Command): readonly string[] {
    const member = this.#member(command);
    const { node } = member;
    const [, argument = ""] = command.positional;
    switch (command.name) {
      case "take":
        return describeReady(this.#take(member)).map((line) => `${member.id}: ${line}`);
      case "save":
        member.save();
        return [];
      case "finish":
        this.#finish(member);
        return [];
      case "tick":
        for (let ticks = Number(argument || 1); ticks > 0; ticks--) node.tick();
        return [];
      case "campaign":
        return describeResult(node.campaign());
      case "propose":
        return command.positional.slice(1).flatMap((data) => describeResult(node.propose(utf8(data))));
      case "conf-change":
        return this.#proposeConfChange(member, command);
      case "read-index":
        this.#safety.onReadRequest(argument);
        return describeResult(node.readIndex(utf8(argument)));
      case "transfer":
        return describeResult(node.transferLeadership(BigInt(argument)));
      case "unreachable":
        node.reportUnreachable(BigInt(argument));
        return [];
      case "report-snapshot":
        node.reportSnapshot(BigInt(argument), command.positional[2] === "failure" ? "failure" : "finish");
        return [];
      case "compact":
        member.compact(Number(argument || 0));
        return [];
      case "crash":
        member.crash();
        return [];
      case "restart":
        member.restart();
        return [];
      default:
        throw new RangeError(`Cannot run '${command.name}' as it is no command`);
    }
  }

  #create(command: Command): readonly string[] {
    const { options } = command;
    this.#members = new Map();
    this.#safety = new SafetyChecker();
    this.#network = [];
    const confState: ConfState = {
      voters: ids(options.get("voters")),
      learners: ids(options.get("learners")),
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    };
    // Members to come start from the same membership, in which they do not figure.
    const everyone = [...confState.voters, ...confState.learners, ...ids(options.get("newcomers"))];
    for (const id of everyone) this.#add(id, confState, options);
    return [];
  }

  #add(id: bigint, confState: ConfState, options: ReadonlyMap<string, string>): void {
    const terms = (options.get(`log${id}`) ?? "").split(",").filter((term) => term !== "");
    const entries = terms.map((term, at) => scriptEntry(at + 1, Number(term)));
    const term = Number(options.get("term") ?? entries.at(-1)?.term ?? 0);
    const hardState = { term, vote: 0n, commit: 0 };
    const config: Omit<RaftConfig, "id" | "storage"> = {
      electionTicks: 3,
      heartbeatTicks: 1,
      // Timeouts that differ, and that a reader can count.
      random: { below: () => Number(id % 3n) },
      preVote: options.get("preVote") !== "off",
      checkQuorum: options.get("checkQuorum") !== "off",
      forwardProposals: options.get("forward") !== "off",
      maxMessageBytes: Number(options.get("maxMessageBytes") ?? 1024),
      maxUncommittedBytes: Number(options.get("maxUncommittedBytes") ?? 1024),
      maxProposalBytes: Number(options.get("maxProposalBytes") ?? 1024),
      maxInflightMessages: Number(options.get("maxInflightMessages") ?? 8),
      maxInflightBytes: Number(options.get("maxInflightBytes") ?? 1024),
      maxPendingReads: Number(options.get("maxPendingReads") ?? 8),
    };
    this.#members.set(
      id,
      new SimulatedMember({
        id,
        confState,
        config,
        observer: this.#safety,
        disk: { hardState, snapshot: emptySnapshot, entries },
      }),
    );
  }

  #member(command: Command): SimulatedMember {
    return this.#memberOf(command.positional[0]);
  }

  #memberOf(text: string | undefined): SimulatedMember {
    const member = /^\d+$/.test(text ?? "") ? this.#members.get(BigInt(text ?? "")) : undefined;
    if (member === undefined) throw new RangeError(`Cannot find member '${text}'`);
    return member;
  }

  #ready(member: SimulatedMember): readonly string[] {
    if (!member.isUp || !member.node.hasReady()) return [];
    const ready = this.#take(member);
    member.save();
    this.#check();
    this.#finish(member);
    this.#check();
    return describeReady(ready).map((line) => `${member.id}: ${line}`);
  }

  #take(member: SimulatedMember): Ready {
    const ready = member.take();
    this.#safety.onReady(ready);
    this.#network.push(...ready.messages.filter(maySendBeforeSave));
    return ready;
  }

  #finish(member: SimulatedMember): void {
    this.#network.push(...member.finish().filter((message) => !maySendBeforeSave(message)));
  }

  /** Lets a message come that no member has sent. */
  #inject(command: Command): readonly string[] {
    const { options } = command;
    const number = (name: string): number => Number(options.get(name) ?? 0);
    const terms = (options.get("entries") ?? "").split(",").filter((term) => term !== "");
    const message: Message = {
      ...createMessage(
        { type: options.get("type") as MessageType, from: BigInt(number("from")), to: BigInt(number("to")) },
        { term: number("term"), index: number("index"), logTerm: number("logTerm"), commit: number("commit") },
      ),
      entries: terms.map((term, at) => scriptEntry(number("index") + 1 + at, Number(term))),
      context: utf8(options.get("context") ?? ""),
      reject: options.has("reject"),
      snapshot: this.#scriptSnapshot(options.get("snapshot")),
    };
    this.#network.push(message);
    return this.#deliverWhere((other) => other === message);
  }

  /** A snapshot that some member could have sent, given as `index/term`. */
  #scriptSnapshot(text: string | undefined): Snapshot | undefined {
    if (text === undefined) return undefined;
    const [index = 0, term = 0] = text.split("/").map(Number);
    const [some] = this.#members.values();
    return { data: emptyBytes, metadata: { index, term, confState: some?.node.confState ?? emptyConfState } };
  }

  /** Works and delivers among the named members until all is said and done. */
  #stabilize(command: Command): readonly string[] {
    const named = command.positional.map((text) => this.#memberOf(text));
    const members = named.length > 0 ? named : [...this.#members.values()];
    const lines: string[] = [];
    for (let round = 0; round < maxRounds; round++) {
      const before = lines.length;
      for (const member of members) lines.push(...this.#ready(member));
      for (const member of members)
        lines.push(
          ...this.#deliverWhere((message) => message.to === member.id && this.#isAmong(members, message.from)),
        );
      if (lines.length === before) return lines;
    }
    throw new RangeError(`Cannot stabilize within ${maxRounds} rounds`);
  }

  #isAmong(members: readonly SimulatedMember[], id: bigint): boolean {
    return members.some((member) => member.id === id);
  }

  #deliver(command: Command): readonly string[] {
    const { options, name } = command;
    const [from, to, type] = [options.get("from"), options.get("to"), options.get("type")];
    const matches = (message: Message): boolean =>
      (from === undefined || message.from === BigInt(from)) &&
      (to === undefined || message.to === BigInt(to)) &&
      (type === undefined || message.type === type);
    if (name === "deliver") return this.#deliverWhere(matches);
    const lost = this.#network.filter(matches);
    this.#network = this.#network.filter((message) => !matches(message));
    return lost.map((message) => `lost ${describeMessage(message)}`);
  }

  #deliverWhere(matches: (message: Message) => boolean): readonly string[] {
    const delivered = this.#network.filter(matches);
    this.#network = this.#network.filter((message) => !matches(message));
    return delivered.flatMap((message) => {
      const receiver = this.#members.get(message.to);
      if (receiver?.isUp !== true) return [`lost ${describeMessage(message)}`];
      const result = receiver.node.step(message);
      this.#check();
      return [describeMessage(message), ...describeResult(result).map((line) => `  ${line}`)];
    });
  }

  #proposeConfChange(member: SimulatedMember, command: Command): readonly string[] {
    const words = command.positional.slice(1);
    const changes = words.filter((word) => word !== "v2").map(parseChange);
    const transition = (command.options.get("transition") ?? "auto") as ConfChangeTransition;
    const [only] = changes;
    if (changes.length === 1 && only !== undefined && transition === "auto" && !words.includes("v2"))
      return describeResult(member.node.proposeConfChange({ ...only, id: 0n, context: emptyBytes }));
    return describeResult(member.node.proposeConfChange({ transition, changes, context: emptyBytes }));
  }

  #show(command: Command): readonly string[] {
    const named = command.positional.map((text) => this.#memberOf(text));
    const members = named.length > 0 ? named : [...this.#members.values()];
    switch (command.name) {
      case "status":
        return members.map(describeStatus);
      case "progress":
        return members.flatMap(describeProgress);
      default:
        return members.map(describeLog);
    }
  }
}

/** An entry of a log that a script gives as a list of terms. */
function scriptEntry(index: number, term: number): Entry {
  return { type: "normal", index, term, data: utf8(`${index}/${term}`) };
}

function parseChange(word: string): ConfChangeSingle {
  const types = { "+": "addNode", "-": "removeNode", "~": "updateNode", l: "addLearnerNode" } as const;
  const type = types[word[0] as keyof typeof types];
  return { type, nodeId: BigInt(word.slice(1)) };
}

function describeStatus(member: SimulatedMember): string {
  if (!member.isUp) return `${member.id}: down`;
  const { role, term, vote, lead, commit, applied, lastIndex } = member.node.status;
  const membership = describeConfState(member.node.confState);
  return `${member.id}: ${role} term ${term} vote ${vote} lead ${lead} last ${lastIndex} commit ${commit} applied ${applied} voters ${membership}`;
}

function describeProgress(member: SimulatedMember): readonly string[] {
  const lines: string[] = [];
  for (const [id, progress] of member.node.progress() ?? []) {
    const { state, match, next, recentActive, isLearner, inflights } = progress;
    const notes = [
      recentActive ? "" : " inactive",
      isLearner ? " learner" : "",
      inflights > 0 ? ` inflights ${inflights}` : "",
    ];
    lines.push(`${id}: ${state} match ${match} next ${next}${notes.join("")}`);
  }
  return lines;
}

function describeLog(member: SimulatedMember): string {
  const { log, storage } = member;
  const compacted =
    storage.firstIndex > 1 ? [`..${storage.firstIndex - 1}/${storage.term(storage.firstIndex - 1)}`] : [];
  return `${member.id}: ${[...compacted, ...log.map(describeEntry)].join(", ")}`;
}
