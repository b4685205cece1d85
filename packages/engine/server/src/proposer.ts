import type { Clock } from "@conclave/base";
import { WireError } from "@conclave/protocol";
import type { ConfChange, DropReason, ProposeResult } from "@conclave/raft";
import type { AnyResponse } from "./applier.ts";
import { type CommandKind, type CommandRequest, type CommandResponse, encodeCommand } from "./commands.ts";
import { type RequestIds, requestKey } from "./ids.ts";
import { createProposals, type Outcome, type Proposals, type Wait } from "./proposals.ts";
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

/** Requests that may wait to be applied before new ones are refused, as in etcd. */
const waitingMax = 5000;
const bitsOfMember = 16;
const bitsOfRest = 48n;

/** Puts requests into the log and brings each its outcome once its entry is applied here. */
export class Proposer {
  readonly #options: ProposerOptions;
  readonly #proposals: Proposals<AnyResponse> = createProposals();
  readonly #unsent: UnsentProposals;
  readonly #ownPrefix: bigint;

  /** @param memberId - of this member, whose requests are told by it from those of others */
  constructor(options: ProposerOptions, memberId: bigint) {
    this.#options = options;
    this.#ownPrefix = BigInt.asUintN(bitsOfMember, memberId);
    this.#unsent = new UnsentProposals({
      isWaiting: (key) => this.#proposals.has(key),
      onRefused: (key, reason) => this.#proposals.settle(key, { ok: false, error: refusal(reason) }),
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
   * @param timeoutMs - after how long to give up; default: that of all requests
   * @throws WireError what applying it refused, `RequestTooLarge`, `RequestTooManyRequests`, or `Timeout`,
   * `TimeoutDueToLeaderFail` or `TimeoutDueToConnectionLost`: then it may or may not be applied later
   */
  propose<K extends CommandKind>(
    kind: K,
    request: CommandRequest<K>,
    timeoutMs: number = this.#options.timeoutMs,
  ): Promise<CommandResponse<K>> {
    const entry = this.#encode(kind, request);
    if ("refused" in entry) return Promise.reject(entry.refused);
    const outcome = this.#proposals.wait(entry.key, this.#wait(timeoutMs));
    this.#unsent.submit(entry.key, () => this.#options.raft().propose(entry.data));
    return outcome as Promise<CommandResponse<K>>;
  }

  /**
   * Proposes a command at this member's own raft or not at all. The caller has made sure, in this turn, that it leads.
   *
   * @throws WireError as {@link Proposer.propose}, and `NotLeader` if raft did not append it
   */
  proposeAsLeader<K extends CommandKind>(kind: K, request: CommandRequest<K>): Promise<CommandResponse<K>> {
    const entry = this.#encode(kind, request);
    if ("refused" in entry) return Promise.reject(entry.refused);
    if (this.#options.raft().propose(entry.data).kind !== "accepted") return Promise.reject(new WireError("NotLeader"));
    return this.#proposals.wait(entry.key, this.#wait(this.#options.timeoutMs)) as Promise<CommandResponse<K>>;
  }

  /**
   * Proposes a change of the membership and waits until it is applied here.
   *
   * @throws WireError as {@link Proposer.propose}
   */
  async proposeConfChange(change: Omit<ConfChange, "id">): Promise<void> {
    if (this.#proposals.size >= waitingMax) throw new WireError("RequestTooManyRequests");
    const id = this.#options.ids.next();
    const key = requestKey(id);
    const outcome = this.#proposals.wait(key, this.#wait(this.#options.timeoutMs));
    this.#unsent.submit(key, (): ProposeResult => this.#options.raft().proposeConfChange({ ...change, id }));
    await outcome;
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
    this.#proposals.expire(nowMs, (wait) => timeoutError(wait, route));
  }

  /** Ends every wait with this error. */
  abandon(error: Error): void {
    this.#proposals.abandon(error);
  }

  #encode<K extends CommandKind>(
    kind: K,
    request: CommandRequest<K>,
  ): { readonly key: number; readonly data: Uint8Array } | { readonly refused: WireError } {
    if (this.#proposals.size >= waitingMax) return { refused: new WireError("RequestTooManyRequests") };
    const id = this.#options.ids.next();
    const data = encodeCommand(kind, request, id, { clusterVersion: this.#options.clusterVersion() });
    if (data.length > this.#options.maxRequestBytes) return { refused: new WireError("RequestTooLarge") };
    return { key: requestKey(id), data };
  }

  #wait(timeoutMs: number): Wait {
    const startMs = this.#options.clock.monotonicMs();
    return { startMs, deadlineMs: startMs + timeoutMs };
  }
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
