/**
 * @module Two rules that hold for calls of all services. A call whose client asked for it, with the metadata
 * `hasleader: true`, ends while this member knows no leader: a client that could be cut off with the minority goes on
 * elsewhere. And a learner, whose state may lag far behind, serves next to nothing.
 */
import type { Timer } from "@conclave/base";
import { WireError } from "@conclave/protocol";
import type { RangeRequest } from "@conclave/protocol/etcdserverpb";
import type { BoundMethod, ServerCall, ServiceBinding, UnaryHandler } from "@conclave/rpc";
import type { Member } from "./member.ts";
import { startPeriodic } from "./periodic.ts";

/** The part of a member that is guarded. */
export type GuardedMember = Pick<Member, "id" | "leader" | "membership" | "ports" | "settings">;

/**
 * New calls are cheap to send elsewhere and refused at once. Streams are dear to set up again: they end only when no
 * leader was known at so many looks in a row, one election timeout apart, as in etcd.
 */
const leaderlessLooksMax = 3;

/** Guards the calls of a member. */
export class LeaderGuard {
  readonly #member: GuardedMember;
  readonly #streams = new Set<AbortController>();
  #leaderlessLooks = 0;

  constructor(member: GuardedMember) {
    this.#member = member;
  }

  /** Begins to look whether there is a leader; cancelling the timer ends that. */
  start(): Timer {
    const { ports, settings } = this.#member;
    return startPeriodic({
      clock: ports.clock,
      scheduler: ports.scheduler,
      intervalMs: settings.electionTimeoutMs,
      run: () => this.#look(),
    });
  }

  /** The same service, guarded. */
  guard({ fullName, methods }: ServiceBinding): ServiceBinding {
    return { fullName, methods: methods.map((method) => this.#guardMethod(method)) };
  }

  #look(): void {
    this.#leaderlessLooks = this.#member.leader === 0n ? this.#leaderlessLooks + 1 : 0;
    if (this.#leaderlessLooks < leaderlessLooksMax) return;
    for (const stream of this.#streams) stream.abort(new WireError("NoLeader"));
    this.#streams.clear();
  }

  #guardMethod(method: BoundMethod): BoundMethod {
    switch (method.kind) {
      case "unary":
        return { ...method, handler: this.#guardUnary(method, method.handler) };
      case "serverStream": {
        const serve = method.handler;
        const handler: typeof serve = (request, out, call) =>
          this.#stream(method, call, (guarded) => serve(request, out, guarded));
        return { ...method, handler };
      }
      case "clientStream": {
        const serve = method.handler;
        const handler: typeof serve = (requests, call) =>
          this.#stream(method, call, (guarded) => serve(requests, guarded));
        return { ...method, handler };
      }
      case "bidi": {
        const serve = method.handler;
        const handler: typeof serve = (requests, out, call) =>
          this.#stream(method, call, (guarded) => serve(requests, out, guarded));
        return { ...method, handler };
      }
    }
  }

  /** Adds no promise: most of a server's load goes through here. */
  #guardUnary(method: BoundMethod, serve: UnaryHandler<unknown, unknown>): UnaryHandler<unknown, unknown> {
    return (request, call) => {
      if (this.#isLearner && !learnerAnswers(method, request)) throw new WireError("NotSupportedForLearner");
      this.#needsLeader(call);
      return serve(request, call);
    };
  }

  /** Runs a stream to its end, or to that of the leader if the client asked for one. */
  async #stream<R>(method: BoundMethod, call: ServerCall, run: (call: ServerCall) => Promise<R>): Promise<R> {
    if (this.#isLearner && !isSnapshot(method)) throw new WireError("NotSupportedForLearner");
    if (!this.#needsLeader(call)) return run(call);
    const leaderless = new AbortController();
    this.#streams.add(leaderless);
    try {
      const signal = AbortSignal.any([call.signal, leaderless.signal]);
      return await Promise.race([run(withSignal(call, signal)), aborted(leaderless.signal)]);
    } finally {
      this.#streams.delete(leaderless);
    }
  }

  get #isLearner(): boolean {
    return this.#member.membership.member(this.#member.id)?.isLearner === true;
  }

  /**
   * Whether a call asked for a leader.
   *
   * @throws WireError `NoLeader` if it did and there is none
   */
  #needsLeader(call: ServerCall): boolean {
    if (call.metadata.get("hasleader") !== "true") return false;
    if (this.#member.leader === 0n) throw new WireError("NoLeader");
    return true;
  }
}

/** What a learner answers: how it is, and what it knows itself. */
function learnerAnswers({ service, name }: BoundMethod, request: unknown): boolean {
  if (service === "etcdserverpb.Maintenance") return name === "Status";
  return service === "etcdserverpb.KV" && name === "Range" && (request as RangeRequest).serializable;
}

function isSnapshot({ service, name }: BoundMethod): boolean {
  return service === "etcdserverpb.Maintenance" && name === "Snapshot";
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
}

function withSignal(call: ServerCall, signal: AbortSignal): ServerCall {
  const { path, metadata, peer, deadlineMs } = call;
  return {
    ...{ path, metadata, peer, deadlineMs, signal },
    setHeader: (name, value) => call.setHeader(name, value),
    setTrailer: (name, value) => call.setTrailer(name, value),
  };
}
