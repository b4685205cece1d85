import { type Caller, nobody } from "@conclave/auth";
import type { Clock } from "@conclave/base";
import { WireError } from "@conclave/protocol";
import type { ConfChange, DropReason, Entry, ProposeResult } from "@conclave/raft";
import { Deferred } from "@conclave/rpc";
import type { AnyResponse } from "../apply/applier.ts";
import {
  type CommandKind,
  type CommandRequest,
  type CommandResponse,
  encodeCommand,
  knownCommand,
} from "../apply/commands.ts";
import { type RequestIds, requestKey } from "./ids.ts";
import { type Outcome, Proposal, Proposals, type Submission } from "./proposals.ts";
import type { RaftLoop } from "./raft-loop.ts";
import { type RequestRoute, timeoutError } from "./request-timeout.ts";
import { UnsentProposals } from "./unsent-proposals.ts";

/** What proposals are made with. */
export interface ProposerOptions {
  readonly clock: Clock;
  readonly ids: RequestIds;
  /** Takes proposals to raft. */
  readonly raft: () => Pick<RaftLoop, "propose" | "proposeConfChange">;
  /** The way that requests take now, to tell why one got no answer. */
  readonly route: () => RequestRoute;
  /** After how long a request is given up. */
  readonly timeoutMs: number;
  /** Largest log entry that is proposed, in bytes. */
  readonly maxRequestBytes: number;
  /** The API level that the members of the cluster share; undefined before it is decided. */
  readonly clusterVersion: () => string | undefined;
}

/** How a command is proposed. */
export interface ProposalOptions {
  /** In whose name; default: nobody's. */
  readonly caller?: Caller;
  /** After how long to give up; default: that of all requests. */
  readonly timeoutMs?: number;
}

/** Requests that may wait to be applied before new ones are refused, as in etcd. */
const waitingMax = 5000;
const bitsOfMember = 16;
const bitsOfRest = 48n;

/** Puts requests into the log and brings each its outcome once its entry is applied here. */
export class Proposer {
  readonly #options: ProposerOptions;
  readonly #proposals = new Proposals<AnyResponse>();
  readonly #unsent: UnsentProposals<Proposal<AnyResponse>>;
  readonly #ownPrefix: bigint;
  /** Requests that were given up. */
  failed = 0;

  /** @param memberId - of this member, whose requests are told by it from those of others */
  constructor(options: ProposerOptions, memberId: bigint) {
    this.#options = options;
    this.#ownPrefix = BigInt.asUintN(bitsOfMember, memberId);
    this.#unsent = new UnsentProposals({
      propose: (proposal) => this.#submit(proposal),
      isWaiting: ({ key }) => this.#proposals.has(key),
      onRefused: ({ key }, reason) => this.#proposals.settle(key, { ok: false, error: refusal(reason) }),
    });
  }

  /** How many requests wait to be applied. */
  get size(): number {
    return this.#proposals.size;
  }

  /**
   * Proposes a command, wherever the leader is, and waits until it is applied here. While there is no leader it waits
   * for one.
   *
   * @param options - in whose name, and for how long
   * @throws WireError what applying it refused, `RequestTooLarge`, `RequestTooManyRequests`, or `Timeout`,
   * `TimeoutDueToLeaderFail` or `TimeoutDueToConnectionLost`: then it may or may not be applied later
   */
  propose<K extends CommandKind>(
    kind: K,
    request: CommandRequest<K>,
    { caller = nobody, timeoutMs = this.#options.timeoutMs }: ProposalOptions = {},
  ): Deferred<CommandResponse<K>> {
    const submission = this.#encode(kind, request, caller);
    if (submission instanceof WireError) return rejected(submission);
    const proposal = this.#wait(submission, timeoutMs);
    this.#unsent.submit(proposal);
    return proposal as Deferred<AnyResponse> as Deferred<CommandResponse<K>>;
  }

  /**
   * Proposes a command at this member's own raft or not at all. The caller has made sure, in this turn, that it leads.
   *
   * @throws WireError as {@link Proposer.propose}, and `NotLeader` if raft did not append it
   */
  proposeAsLeader<K extends CommandKind>(
    kind: K,
    request: CommandRequest<K>,
    { caller = nobody }: Pick<ProposalOptions, "caller"> = {},
  ): Deferred<CommandResponse<K>> {
    const submission = this.#encode(kind, request, caller);
    if (submission instanceof WireError) return rejected(submission);
    if (this.#options.raft().propose(submission.entry).kind !== "accepted") return rejected(new WireError("NotLeader"));
    const proposal = this.#wait(submission, this.#options.timeoutMs);
    return proposal as Deferred<AnyResponse> as Deferred<CommandResponse<K>>;
  }

  /**
   * Proposes a change of the membership and waits until it is applied here.
   *
   * @throws WireError as {@link Proposer.propose}
   */
  async proposeConfChange(change: Omit<ConfChange, "id">): Promise<void> {
    if (this.#proposals.size >= waitingMax) throw new WireError("RequestTooManyRequests");
    const id = this.#options.ids.next();
    const submission = { key: requestKey(id), entry: { ...change, id }, command: undefined };
    const proposal = this.#wait(submission, this.#options.timeoutMs);
    this.#unsent.submit(proposal);
    await proposal;
  }

  /** The request of this member whose entry this is, if it still waits and this member has put it into the log. */
  proposalOf({ index, term }: Pick<Entry, "index" | "term">): Submission | undefined {
    return this.#proposals.placedAt(index, term);
  }

  /** Brings a request of this member its outcome. */
  settleOwn({ key }: Submission, outcome: Outcome<AnyResponse>): void {
    this.#proposals.settle(key, outcome);
  }

  /** Brings a request its outcome, if it is one of this member's that still waits. */
  settle(id: bigint, outcome: Outcome<AnyResponse>): void {
    if (BigInt.asUintN(64, id) >> bitsOfRest === this.#ownPrefix) this.#proposals.settle(requestKey(id), outcome);
  }

  /** Proposes again what raft could not take so far. */
  retryUnsent(): void {
    this.#unsent.retry();
  }

  /** Gives up on requests whose time is over. */
  expire(nowMs: number): void {
    const route = this.#options.route();
    this.#proposals.expire(nowMs, (wait) => {
      this.failed++;
      return timeoutError(wait, route);
    });
  }

  /** Ends every wait with this error. */
  abandon(error: Error): void {
    this.#proposals.abandon(error);
  }

  /** The entry of a command, or why it is not proposed. */
  #encode<K extends CommandKind>(
    kind: K,
    request: CommandRequest<K>,
    caller: Caller,
  ): (Submission & { readonly entry: Uint8Array }) | WireError {
    if (this.#proposals.size >= waitingMax) return new WireError("RequestTooManyRequests");
    const id = this.#options.ids.next();
    const entry = encodeCommand(kind, request, id, { caller, clusterVersion: this.#options.clusterVersion() });
    if (entry.length > this.#options.maxRequestBytes) return new WireError("RequestTooLarge");
    return { key: requestKey(id), entry, command: knownCommand(kind, request, id, caller) };
  }

  #submit(proposal: Proposal<AnyResponse>): ProposeResult {
    const { entry } = proposal;
    const raft = this.#options.raft();
    const result = entry instanceof Uint8Array ? raft.propose(entry) : raft.proposeConfChange(entry);
    if (result.kind === "accepted") this.#proposals.place(proposal, result);
    return result;
  }

  #wait(submission: Submission, timeoutMs: number): Proposal<AnyResponse> {
    const startMs = this.#options.clock.monotonicMs();
    const proposal = new Proposal<AnyResponse>(submission, { startMs, deadlineMs: startMs + timeoutMs });
    this.#proposals.add(proposal);
    return proposal;
  }
}

function rejected<R>(error: Error): Deferred<R> {
  const deferred = new Deferred<R>();
  deferred.reject(error);
  return deferred;
}

function refusal(reason: DropReason): WireError {
  switch (reason) {
    case "tooLarge":
      return new WireError("RequestTooLarge");
    case "notMember":
      return new WireError("Stopped");
    default:
      return new WireError("RequestTooManyRequests");
  }
}
