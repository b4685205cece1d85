import { createMemoryBackend } from "@conclave/mvcc";
import { KVDefinition, MaintenanceDefinition, RangeRequest, WatchDefinition } from "@conclave/protocol/etcdserverpb";
import { type BoundMethod, bindService, type ServerCall, type ServiceBinding, unimplemented } from "@conclave/rpc";
import { type VirtualTime, virtualTime } from "@conclave/testkit";
import { beforeEach, describe, expect, test } from "vitest";
import { type GuardedMember, LeaderGuard } from "./leader-guard.ts";
import { createMembership } from "./membership/membership.ts";
import { labCall, labResponses } from "./testing/coordination-lab.ts";

let time: VirtualTime;
let member: { leader: bigint } & Omit<GuardedMember, "leader">;
let guard: LeaderGuard;

function setUp({ isLearner = false }: { readonly isLearner?: boolean } = {}): void {
  time = virtualTime();
  const membership = createMembership(createMemoryBackend());
  membership.add({ id: 1n, name: "one", peerUrls: [], clientUrls: [], isLearner });
  const ports = { clock: time, scheduler: time } as unknown as GuardedMember["ports"];
  const settings = { electionTimeoutMs: 1000 } as GuardedMember["settings"];
  member = { id: 1n, leader: 2n, membership, ports, settings };
  guard = new LeaderGuard(member);
}
beforeEach(() => setUp());

function callWith(metadata: Readonly<Record<string, string>> = {}): ServerCall {
  const { call } = labCall();
  return { ...call, metadata: { ...call.metadata, get: (name) => metadata[name] } };
}

const hasLeader = { hasleader: "true" };

/** Services whose unary calls answer at once, and whose streams run until their signal ends them. */
function services(): readonly ServiceBinding[] {
  const stream = (_: unknown, __: unknown, call: ServerCall): Promise<void> =>
    new Promise((_resolve, reject) => call.signal.addEventListener("abort", () => reject(call.signal.reason)));
  const answer = (): never => ({}) as never;
  const kv = { range: answer, rangeStream: stream, put: answer, deleteRange: answer, txn: answer, compact: answer };
  const { methods } = MaintenanceDefinition;
  const maintenance = Object.fromEntries(
    Object.keys(methods).map((name) => [name, name === "snapshot" ? stream : answer]),
  );
  return [
    bindService(KVDefinition, kv),
    bindService(WatchDefinition, { watch: stream }),
    bindService(MaintenanceDefinition, maintenance as never),
  ];
}

function method(name: string): BoundMethod {
  for (const binding of services().map((each) => guard.guard(each)))
    for (const candidate of binding.methods) if (candidate.name === name) return candidate;
  throw new Error(`no method ${name} beside ${unimplemented}`);
}

async function run(name: string, call: ServerCall, request: unknown = {}): Promise<unknown> {
  const bound = method(name);
  switch (bound.kind) {
    case "unary":
      return bound.handler(request, call);
    case "serverStream":
      return bound.handler(request, labResponses<unknown>().responses, call);
    case "bidi":
      return bound.handler({} as never, labResponses<unknown>().responses, call);
    case "clientStream":
      return bound.handler({} as never, call);
  }
}

/** How a promise stands: `open`, or the code it was rejected with. */
function outcomeOf(promise: Promise<unknown>): { now: string } {
  const outcome = { now: "open" };
  promise.then(
    () => {
      outcome.now = "ended";
    },
    (error: { readonly code?: string }) => {
      outcome.now = error.code ?? String(error);
    },
  );
  return outcome;
}

describe("a call that asks for a leader", () => {
  test("is served while there is one", async () => {
    await expect(run("Put", callWith(hasLeader))).resolves.toEqual({});
  });

  test.each(["Put", "Range", "Watch", "Snapshot"])("is refused at once while there is none: %s", async (name) => {
    member.leader = 0n;
    await expect(run(name, callWith(hasLeader))).rejects.toMatchObject({ code: "NoLeader" });
  });

  test("is one only with the value true", async () => {
    member.leader = 0n;
    await expect(run("Put", callWith())).resolves.toEqual({});
    await expect(run("Put", callWith({ hasleader: "yes" }))).resolves.toEqual({});
  });

  test("ends, if it is a stream, at the third look in a row without a leader", async () => {
    const timer = guard.start();
    const watch = outcomeOf(run("Watch", callWith(hasLeader)));
    await time.advance(500);
    member.leader = 0n;
    await time.advance(2499);
    expect(watch.now).toBe("open");
    await time.advance(1);
    expect(watch.now).toBe("NoLeader");
    timer.cancel();
    expect(time.pendingTimers).toBe(0);
  });

  test("goes on, if it is a stream, when a leader is found in time", async () => {
    guard.start();
    const watch = outcomeOf(run("Watch", callWith(hasLeader)));
    for (let round = 0; round < 3; round++) {
      member.leader = 0n;
      await time.advance(2000);
      member.leader = 3n;
      await time.advance(1000);
    }
    expect(watch.now).toBe("open");
  });
});

test("a stream that did not ask for a leader goes on without one", async () => {
  guard.start();
  const watch = outcomeOf(run("Watch", callWith()));
  member.leader = 0n;
  await time.advance(10_000);
  expect(watch.now).toBe("open");
});

test("a stream ends with its call as it would without a guard", async () => {
  const { call, cancel } = labCall();
  const watch = run("Watch", { ...call, metadata: callWith(hasLeader).metadata });
  cancel();
  await expect(watch).rejects.toThrow("the client has gone");
});

describe("a learner", () => {
  beforeEach(() => setUp({ isLearner: true }));

  test("tells its status and what it knows itself, and gives its snapshot", async () => {
    await expect(run("Status", callWith())).resolves.toEqual({});
    await expect(run("Range", callWith(), RangeRequest.fromPartial({ serializable: true }))).resolves.toEqual({});
    const snapshot = outcomeOf(run("Snapshot", callWith()));
    await time.settle();
    expect(snapshot.now).toBe("open");
  });

  test.each(["Range", "Put", "Txn", "Compact", "Watch", "RangeStream", "HashKV", "MoveLeader", "Alarm"])(
    "refuses %s",
    async (name) => {
      await expect(run(name, callWith())).rejects.toMatchObject({ code: "NotSupportedForLearner" });
    },
  );

  test("serves everything once it was promoted", async () => {
    member.membership.promote(1n);
    await expect(run("Put", callWith())).resolves.toEqual({});
  });
});
