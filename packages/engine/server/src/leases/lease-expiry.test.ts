import { createLessor } from "@conclave/lease";
import { createMemoryBackend } from "@conclave/mvcc";
import { WireError } from "@conclave/protocol";
import { expect, test } from "vitest";
import type { CommandKind, CommandRequest, CommandResponse } from "../apply/commands.ts";
import { LeaseExpiry, type LeaseExpiryPorts } from "./lease-expiry.ts";

/** A leader with one lease of 10 s, granted at 0; its proposals end as `outcome` says. */
function leaderWithLease(outcome: () => Promise<never>) {
  const lessor = createLessor({ backend: createMemoryBackend(), minTtlSec: 2 });
  lessor.promote(0, 0);
  lessor.grant({ id: 7n, ttlSec: 10n, nowMs: 0 });
  const proposed: unknown[] = [];
  const state: { nowMs: number; leaderTerm: number | undefined; confirmation: Promise<void> | undefined } = {
    nowMs: 0,
    leaderTerm: 1,
    confirmation: undefined,
  };
  const member: LeaseExpiryPorts = {
    lessor,
    settings: {},
    ports: { clock: { monotonicMs: () => state.nowMs, wallMs: () => 0 } },
    get leaderTerm() {
      return state.leaderTerm;
    },
    confirmLeadership: () => state.confirmation,
    proposeAsLeader: <K extends CommandKind>(kind: K, request: CommandRequest<K>): Promise<CommandResponse<K>> => {
      proposed.push([kind, request]);
      return outcome();
    },
  };
  return { expiry: new LeaseExpiry(member), lessor, state, takeProposed: () => proposed.splice(0) };
}

const revoke = ["leaseRevoke", { ID: 7n }];
const pending = () => new Promise<never>(() => {});

test("a lease that has run out is revoked through the log, once, and not renewed from then on", () => {
  const { expiry, lessor, state, takeProposed } = leaderWithLease(pending);
  state.nowMs = 9_999;
  expiry.check(0);
  expect(takeProposed()).toEqual([]);
  state.nowMs = 10_000;
  expiry.check(0);
  expect(takeProposed()).toEqual([revoke]);
  expect(() => lessor.renew(7n, 10_000)).toThrow(expect.objectContaining({ code: "REVOKING" }));
  state.nowMs = 60_000;
  expiry.check(0);
  expect(takeProposed()).toEqual([]);
});

test("a check that comes late is left out, so that the renewals that waited meanwhile are read first", () => {
  const { expiry, lessor, state, takeProposed } = leaderWithLease(pending);
  state.nowMs = 60_000;
  expiry.check(50_000);
  expect(takeProposed()).toEqual([]);
  lessor.renew(7n, state.nowMs);
  expiry.check(0);
  expect(takeProposed()).toEqual([]);
});

test("a leader that is not confirmed revokes nothing", () => {
  const { expiry, state, takeProposed } = leaderWithLease(pending);
  state.leaderTerm = undefined;
  state.nowMs = 60_000;
  expiry.check(0);
  expect(takeProposed()).toEqual([]);
});

test.each(["RequestTooManyRequests", "NotLeader"] as const)(
  "a revoke that never came into the log (%s) is proposed again, and the lease may be renewed before",
  async (code) => {
    const { expiry, lessor, state, takeProposed } = leaderWithLease(() => Promise.reject(new WireError(code)));
    state.nowMs = 10_000;
    expiry.check(0);
    await Promise.resolve();
    state.nowMs = 10_500;
    expiry.check(0);
    expect(takeProposed()).toEqual([revoke, revoke]);
    await Promise.resolve();
    expect(lessor.renew(7n, 10_600).ttlSec).toBe(10);
  },
);

test("a revoke whose fate is not known still bars renewals", async () => {
  const { expiry, lessor, state } = leaderWithLease(() => Promise.reject(new WireError("Timeout")));
  state.nowMs = 10_000;
  expiry.check(0);
  await Promise.resolve();
  expect(() => lessor.renew(7n, 10_000)).toThrow(expect.objectContaining({ code: "REVOKING" }));
});

test("leases are ended only once a quorum has confirmed the leader, and one renewed meanwhile lives on", async () => {
  const { expiry, lessor, state, takeProposed } = leaderWithLease(pending);
  lessor.grant({ id: 8n, ttlSec: 10n, nowMs: 0 });
  let confirm = () => {};
  state.confirmation = new Promise((resolve) => {
    confirm = resolve;
  });
  state.nowMs = 10_000;
  expiry.check(0);
  expect(takeProposed()).toEqual([]);
  lessor.renew(8n, state.nowMs);
  confirm();
  await state.confirmation;
  expect(takeProposed()).toEqual([revoke]);
});

test.each([undefined, 2])("a leader of term 1 that turns out to lead in term %s ends nothing", async (leaderTerm) => {
  const { expiry, state, takeProposed } = leaderWithLease(pending);
  state.confirmation = Promise.resolve();
  state.nowMs = 10_000;
  expiry.check(0);
  state.leaderTerm = leaderTerm;
  await state.confirmation;
  expect(takeProposed()).toEqual([]);
});

test("the log is told how much is left of a long lease", () => {
  const { expiry, lessor, state, takeProposed } = leaderWithLease(pending);
  lessor.grant({ id: 8n, ttlSec: 1000n, nowMs: 0 });
  lessor.renew(7n, 0);
  state.nowMs = 9_000;
  expiry.check(0);
  expect(takeProposed()).toEqual([]);
  lessor.renew(7n, 9_000);
  for (let nowMs = 18_000; nowMs < 301_000; nowMs += 9_000) lessor.renew(7n, nowMs);
  state.nowMs = 301_000;
  expiry.check(0);
  expect(takeProposed()).toEqual([["leaseCheckpoint", { checkpoints: [{ ID: 8n, remainingTTL: 699 }] }]]);
});
