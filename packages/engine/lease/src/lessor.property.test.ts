import fc from "fast-check";
import { expect, test } from "vitest";
import { LeaseError } from "./lease-error.ts";
import { createLessor, type Lessor } from "./lessor.ts";
import { mapBackend } from "./testing/map-backend.ts";

const minTtlSec = 2;
const checkpointIntervalSec = 20;

/** One lease of the dumbest lessor there can be: it scans everything at every call. */
interface ModelLease {
  ttlSec: number;
  remainingTtlSec: number;
  endMs: number;
  handedOutMs: number;
  revoking: boolean;
  keys: Set<string>;
}

class Model {
  leases = new Map<bigint, ModelLease>();
  primary = false;

  lease(id: bigint): ModelLease {
    const lease = this.leases.get(id);
    if (lease === undefined) throw new LeaseError("NOT_FOUND", "");
    return lease;
  }

  grant(id: bigint, ttlSec: bigint, nowMs: number): number {
    if (id === 0n) throw new LeaseError("NOT_FOUND", "");
    if (ttlSec > 9_000_000_000n) throw new LeaseError("TTL_TOO_LARGE", "");
    if (this.leases.has(id)) throw new LeaseError("EXISTS", "");
    const granted = ttlSec < BigInt(minTtlSec) ? minTtlSec : Number(ttlSec);
    const endMs = nowMs + granted * 1_000;
    const lease = {
      ttlSec: granted,
      remainingTtlSec: 0,
      endMs,
      handedOutMs: -1e9,
      revoking: false,
      keys: new Set<string>(),
    };
    this.leases.set(id, lease);
    return granted;
  }

  attach(id: bigint, key: string): void {
    this.lease(id).keys.add(key);
  }

  checkpoint(id: bigint, remainingTtlSec: number): void {
    this.lease(id).remainingTtlSec = remainingTtlSec;
  }

  promote(nowMs: number, extendMs: number): void {
    this.primary = true;
    for (const lease of this.leases.values()) {
      lease.endMs = nowMs + (lease.remainingTtlSec || lease.ttlSec) * 1_000 + extendMs;
      lease.handedOutMs = -1e9;
      lease.revoking = false;
    }
  }

  renew(id: bigint, nowMs: number): number {
    const lease = this.lease(id);
    if (!this.primary) throw new LeaseError("NOT_PRIMARY", "");
    if (lease.revoking) throw new LeaseError("REVOKING", "");
    lease.endMs = nowMs + lease.ttlSec * 1_000;
    lease.handedOutMs = -1e9;
    return lease.ttlSec;
  }

  /** Who may be handed out: overdue, not revoking, not handed out in the last three seconds. */
  overdue(nowMs: number): Set<bigint> {
    const ready = ([, lease]: [bigint, ModelLease]) =>
      this.primary && !lease.revoking && lease.endMs <= nowMs && lease.handedOutMs + 3_000 <= nowMs;
    return new Set([...this.leases].filter(ready).map(([id]) => id));
  }

  timeToLive(id: bigint, nowMs: number): number {
    const lease = this.lease(id);
    if (!this.primary) throw new LeaseError("NOT_PRIMARY", "");
    return Math.max(0, Math.floor((lease.endMs - nowMs) / 1_000));
  }
}

function outcome(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    if (error instanceof LeaseError) return error.code;
    throw error;
  }
}

const id = fc.bigInt({ min: -3n, max: 3n });
const key = fc.constantFrom("a", "b", "c", "d");
const ttl = fc.oneof(
  { weight: 9, arbitrary: fc.bigInt({ min: -1n, max: 10n }) },
  { weight: 1, arbitrary: fc.constantFrom(9_000_000_000n, 9_000_000_001n) },
);
const command = fc.oneof(
  fc.record({ name: fc.constant("grant" as const), id, ttl }),
  fc.record({ name: fc.constant("attach" as const), id, key }),
  fc.record({ name: fc.constant("detach" as const), id, key }),
  fc.record({ name: fc.constant("renew" as const), id }),
  fc.record({ name: fc.constant("revoking" as const), id, back: fc.boolean() }),
  fc.record({ name: fc.constant("revoke" as const), id }),
  fc.record({ name: fc.constant("checkpoint" as const), id, remainingTTL: fc.nat({ max: 60 }) }),
  fc.record({ name: fc.constant("tick" as const), ms: fc.nat({ max: 5_000 }) }),
  fc.record({ name: fc.constant("expired" as const), limit: fc.nat({ max: 3 }) }),
  fc.record({ name: fc.constant("promote" as const), extendMs: fc.nat({ max: 3_000 }) }),
  fc.record({ name: fc.constant("demote" as const) }),
  fc.record({ name: fc.constant("restart" as const) }),
);

/** All that can be asked of a lessor, in one value. */
function describeLessor(lessor: Lessor, nowMs: number): unknown {
  const ids = lessor.leases().sort((left, right) => Number(left - right));
  return ids.map((lease) => {
    const left = outcome(() => lessor.timeToLive(lease, nowMs).remainingSec);
    return [lease, left, lessor.keysOf(lease)];
  });
}

function describeModel(model: Model, nowMs: number): unknown {
  const leases = [...model.leases].sort(([left], [right]) => Number(left - right));
  return leases.map(([lease, { keys }]) => {
    const left = outcome(() => model.timeToLive(lease, nowMs));
    return [lease, left, [...keys].sort()];
  });
}

test("any history gives what a lessor that scans everything gives", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 150, size: "max" }), (commands) => {
      const backend = mapBackend();
      const open = () => createLessor({ backend, minTtlSec, checkpointIntervalSec });
      let lessor = open();
      const model = new Model();
      let nowMs = 0;
      lessor.promote(nowMs, 0);
      model.promote(nowMs, 0);
      const both = (real: () => unknown, modelled: () => unknown) => expect(outcome(real)).toEqual(outcome(modelled));
      for (const step of commands) {
        switch (step.name) {
          case "grant":
            both(
              () => lessor.grant({ id: step.id, ttlSec: step.ttl, nowMs }).ttlSec,
              () => model.grant(step.id, step.ttl, nowMs),
            );
            break;
          case "attach":
            both(
              () => lessor.attach(step.id, step.key),
              () => model.attach(step.id, step.key),
            );
            break;
          case "detach":
            lessor.detach(step.id, step.key);
            model.leases.get(step.id)?.keys.delete(step.key);
            break;
          case "renew":
            both(
              () => lessor.renew(step.id, nowMs).ttlSec,
              () => model.renew(step.id, nowMs),
            );
            break;
          case "revoking": {
            const lease = model.leases.get(step.id);
            if (step.back) lessor.unmarkRevoking(step.id);
            else lessor.markRevoking(step.id);
            if (lease === undefined || !model.primary) break;
            if (lease.revoking && step.back) lease.handedOutMs = -1e9;
            lease.revoking = !step.back;
            break;
          }
          case "revoke":
            both(
              () => lessor.revoke(step.id),
              () => void model.leases.delete(model.lease(step.id) && step.id),
            );
            break;
          case "checkpoint":
            both(
              () => lessor.checkpoint({ ID: step.id, remainingTTL: step.remainingTTL }, nowMs),
              () => model.checkpoint(step.id, step.remainingTTL),
            );
            break;
          case "tick":
            nowMs += step.ms;
            break;
          case "expired": {
            const candidates = model.overdue(nowMs);
            const given = lessor.expired(nowMs, step.limit);
            expect(given.length).toBe(Math.min(step.limit, candidates.size));
            for (const lease of given) {
              expect(candidates.delete(lease)).toBe(true);
              model.lease(lease).handedOutMs = nowMs;
            }
            break;
          }
          case "promote":
            lessor.promote(nowMs, step.extendMs);
            model.promote(nowMs, step.extendMs);
            break;
          case "demote":
            lessor.demote();
            model.primary = false;
            break;
          case "restart":
            lessor = open();
            model.primary = false;
            for (const lease of model.leases.values()) lease.keys.clear();
            break;
        }
        expect(describeLessor(lessor, nowMs)).toEqual(describeModel(model, nowMs));
      }
    }),
    { numRuns: 100 },
  );
}, 60_000);

test("no change of leader ends a renewed lease before its TTL has passed since the renewal", () => {
  const step = fc.oneof(
    fc.record({ name: fc.constant("tick" as const), ms: fc.nat({ max: 30_000 }) }),
    fc.record({ name: fc.constant("renew" as const) }),
    fc.record({ name: fc.constant("checkpoint" as const) }),
    fc.record({ name: fc.constant("change" as const), lost: fc.boolean() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const ttlSec = 100;
      const lessor = createLessor({ backend: mapBackend(), minTtlSec, checkpointIntervalSec });
      lessor.grant({ id: 1n, ttlSec: BigInt(ttlSec), nowMs: 0 });
      lessor.promote(0, 0);
      let nowMs = 0;
      let renewedMs = 0;
      const underWay: number[] = [];
      const applyAll = () => {
        for (const remainingTTL of underWay.splice(0)) lessor.checkpoint({ ID: 1n, remainingTTL }, nowMs);
      };
      for (const { name, ...rest } of steps) {
        if (name === "tick" && "ms" in rest) nowMs += rest.ms;
        if (name === "checkpoint") underWay.push(...lessor.dueCheckpoints(nowMs, 1).map((due) => due.remainingTTL));
        if (name === "renew") {
          const { resetCheckpoint } = lessor.renew(1n, nowMs);
          if (resetCheckpoint) underWay.push(0);
          if (resetCheckpoint) applyAll(); // Acknowledged only when applied.
          renewedMs = nowMs;
        }
        if (name === "change") {
          if ("lost" in rest && rest.lost) underWay.splice(0);
          applyAll();
          lessor.demote();
          lessor.promote(nowMs, 0);
        }
        const owedSec = Math.floor((renewedMs - nowMs) / 1_000) + ttlSec;
        expect(lessor.timeToLive(1n, nowMs).remainingSec).toBeGreaterThanOrEqual(owedSec);
      }
    }),
    { numRuns: 300 },
  );
}, 60_000);
