import { binaryStringBytes, hex, utf8 } from "@conclave/base";
import { Lease as LeaseRow } from "@conclave/protocol/leasepb";
import { describe, expect, test } from "vitest";
import type { LeaseErrorCode } from "./lease-error.ts";
import { createLessor, type Lessor, type LessorOptions } from "./lessor.ts";
import { mapBackend } from "./testing/map-backend.ts";

function lessor(options: Partial<LessorOptions> = {}): Lessor {
  return createLessor({ backend: mapBackend(), minTtlSec: 2, ...options });
}

/** A primary lessor at time 0. */
function primary(options: Partial<LessorOptions> = {}): Lessor {
  const made = lessor(options);
  made.promote(0, 0);
  return made;
}

const withCode = (code: LeaseErrorCode) => expect.objectContaining({ name: "LeaseError", code });

describe("grant()", () => {
  test.each([
    [-(2n ** 63n), 2],
    [-1n, 2],
    [0n, 2],
    [1n, 2],
    [2n, 2],
    [3n, 3],
    [9_000_000_000n, 9_000_000_000],
  ])("a wish for %d s gives %d s", (ttlSec, granted) => {
    expect(lessor().grant({ id: 1n, ttlSec, nowMs: 0 })).toEqual({ ttlSec: granted });
  });

  test.each([9_000_000_001n, 2n ** 63n - 1n])("a wish for %d s is too large", (ttlSec) => {
    expect(() => lessor().grant({ id: 1n, ttlSec, nowMs: 0 })).toThrow(withCode("TTL_TOO_LARGE"));
  });

  test("id 0 is refused, any other signed 64-bit number is an id", () => {
    const leases = lessor();
    expect(() => leases.grant({ id: 0n, ttlSec: 10n, nowMs: 0 })).toThrow(withCode("NOT_FOUND"));
    for (const id of [1n, -7n, 2n ** 63n - 1n, -(2n ** 63n)]) leases.grant({ id, ttlSec: 10n, nowMs: 0 });
    expect(leases.leases()).toEqual([-(2n ** 63n), -7n, 1n, 2n ** 63n - 1n]);
  });

  test("an id can be granted again only after its revoke", () => {
    const leases = lessor();
    leases.grant({ id: 5n, ttlSec: 10n, nowMs: 0 });
    expect(() => leases.grant({ id: 5n, ttlSec: 20n, nowMs: 0 })).toThrow(withCode("EXISTS"));
    leases.revoke(5n);
    expect(leases.grant({ id: 5n, ttlSec: 20n, nowMs: 0 })).toEqual({ ttlSec: 20 });
  });
});

describe("rows", () => {
  test("a row is etcd's: the id in eight big-endian bytes, a Lease message with the granted TTL", () => {
    const backend = mapBackend();
    const leases = lessor({ backend });
    leases.grant({ id: 0x1122n, ttlSec: 60n, nowMs: 0 });
    leases.grant({ id: -7n, ttlSec: 1n, nowMs: 0 });
    expect([...backend.scan("lease")].map(([key, value]) => [hex(key), hex(value)])).toEqual([
      ["0000000000001122", "08a222103c"],
      ["fffffffffffffff9", "08f9ffffffffffffffff011002"],
    ]);
  });

  test("leases outlive the lessor, and a revoked one does not", () => {
    const backend = mapBackend();
    const before = lessor({ backend });
    for (const id of [1n, -2n, 3n]) before.grant({ id, ttlSec: 10n, nowMs: 0 });
    before.revoke(1n);

    const after = lessor({ backend });
    expect(after.leases()).toEqual([-2n, 3n]);
    after.promote(0, 0);
    expect(after.timeToLive(3n, 0)).toEqual({ remainingSec: 10, grantedTtlSec: 10 });
  });

  test("a stored TTL below the minimum is raised to it", () => {
    const backend = mapBackend();
    lessor({ backend, minTtlSec: 2 }).grant({ id: 1n, ttlSec: 2n, nowMs: 0 });
    const leases = primary({ backend, minTtlSec: 5 });
    expect(leases.timeToLive(1n, 0)).toEqual({ remainingSec: 5, grantedTtlSec: 5 });
  });

  test.each([
    ["not a message", binaryStringBytes("\0\0\0\0\0\0\0\x01"), utf8("\xff\xff")],
    [
      "the row of another id",
      binaryStringBytes("\0\0\0\0\0\0\0\x01"),
      LeaseRow.encode({ ID: 2n, TTL: 5, RemainingTTL: 0 }).finish(),
    ],
    ["a key that is too short", utf8("a"), LeaseRow.encode({ ID: 1n, TTL: 5, RemainingTTL: 0 }).finish()],
    [
      "a key that is too long",
      binaryStringBytes("\0\0\0\0\0\0\0\x01\0"),
      LeaseRow.encode({ ID: 1n, TTL: 5, RemainingTTL: 0 }).finish(),
    ],
    ["lease 0", new Uint8Array(8), LeaseRow.encode({ ID: 0n, TTL: 5, RemainingTTL: 0 }).finish()],
  ])("a damaged row is refused: %s", (_what, key, value) => {
    const backend = mapBackend();
    backend.put("lease", key, value);
    expect(() => lessor({ backend })).toThrow(withCode("CORRUPT"));
  });
});

describe("keys", () => {
  test("keysOf() gives the attached keys ascending as bytes", () => {
    const leases = lessor();
    leases.grant({ id: 1n, ttlSec: 10n, nowMs: 0 });
    for (const key of ["b", "\xff", "a", "\0", "ab", "b"]) leases.attach(1n, key);
    expect(leases.keysOf(1n)).toEqual(["\0", "a", "ab", "b", "\xff"]);
  });

  test("a key that was detached hangs on the lease no more; detaching it from another does nothing", () => {
    const leases = lessor();
    for (const id of [1n, 2n]) leases.grant({ id, ttlSec: 10n, nowMs: 0 });
    leases.attach(1n, "k");
    leases.detach(2n, "k");
    expect(leases.keysOf(1n)).toEqual(["k"]);
    leases.detach(1n, "k");
    leases.attach(2n, "k");
    expect([leases.keysOf(1n), leases.keysOf(2n)]).toEqual([[], ["k"]]);
  });

  test("nothing can hang on a lease that does not exist", () => {
    const leases = lessor();
    expect(() => leases.attach(9n, "k")).toThrow(withCode("NOT_FOUND"));
    expect(() => leases.keysOf(9n)).toThrow(withCode("NOT_FOUND"));
    leases.detach(9n, "k");
    expect([leases.exists(9n), leases.exists(0n)]).toEqual([false, false]);
  });

  test("revoke() forgets the keys that are still attached", () => {
    const leases = lessor();
    leases.grant({ id: 1n, ttlSec: 10n, nowMs: 0 });
    leases.attach(1n, "k");
    leases.revoke(1n);
    leases.detach(1n, "k");
    expect(() => leases.revoke(1n)).toThrow(withCode("NOT_FOUND"));

    leases.grant({ id: 1n, ttlSec: 10n, nowMs: 0 });
    expect(leases.keysOf(1n)).toEqual([]);
  });
});

describe("time", () => {
  test("only a primary renews, tells the time left and expires", () => {
    const leases = lessor();
    leases.grant({ id: 1n, ttlSec: 10n, nowMs: 0 });
    expect(leases.primary).toBe(false);
    expect(() => leases.renew(1n, 0)).toThrow(withCode("NOT_PRIMARY"));
    expect(() => leases.timeToLive(1n, 0)).toThrow(withCode("NOT_PRIMARY"));
    expect(leases.expired(1_000_000, 10)).toEqual([]);
    expect(leases.dueCheckpoints(1_000_000, 10)).toEqual([]);

    leases.promote(0, 0);
    expect(leases.primary).toBe(true);
    leases.demote();
    expect(leases.expired(1_000_000, 10)).toEqual([]);
  });

  test("an unknown lease is not found, primary or not", () => {
    for (const leases of [lessor(), primary()]) {
      expect(() => leases.renew(9n, 0)).toThrow(withCode("NOT_FOUND"));
      expect(() => leases.timeToLive(9n, 0)).toThrow(withCode("NOT_FOUND"));
      expect(() => leases.checkpoint({ ID: 9n, remainingTTL: 1 }, 0)).toThrow(withCode("NOT_FOUND"));
      leases.markRevoking(9n);
    }
  });

  test("timeToLive() rounds down to whole seconds and never goes below zero", () => {
    const leases = primary();
    leases.grant({ id: 1n, ttlSec: 10n, nowMs: 0 });
    const remainingAt = (nowMs: number) => leases.timeToLive(1n, nowMs).remainingSec;
    expect([0, 1, 1_000, 9_999.5, 10_000, 99_000].map(remainingAt)).toEqual([10, 9, 9, 0, 0, 0]);
  });

  test("leases() puts the first to end first, and equal ones by id", () => {
    const leases = primary();
    leases.grant({ id: 3n, ttlSec: 30n, nowMs: 0 });
    leases.grant({ id: 2n, ttlSec: 20n, nowMs: 0 });
    leases.grant({ id: 1n, ttlSec: 30n, nowMs: 0 });
    expect(leases.leases()).toEqual([2n, 1n, 3n]);
    leases.renew(2n, 15_000);
    expect(leases.leases()).toEqual([1n, 3n, 2n]);
    leases.demote();
    expect(leases.leases()).toEqual([1n, 2n, 3n]);
  });

  test("a renewal that comes late, but before the revoke is proposed, saves the lease", () => {
    const leases = primary();
    leases.grant({ id: 1n, ttlSec: 10n, nowMs: 0 });
    expect(leases.renew(1n, 60_000)).toEqual({ ttlSec: 10, resetCheckpoint: false });
    expect(leases.expired(69_999, 10)).toEqual([]);
    expect(leases.expired(70_000, 10)).toEqual([1n]);
  });

  test("a lease that was handed out to no effect is handed out again after three seconds", () => {
    const leases = primary();
    leases.grant({ id: 1n, ttlSec: 10n, nowMs: 0 });
    expect(leases.expired(10_000, 10)).toEqual([1n]);
    expect(leases.expired(12_999, 10)).toEqual([]);
    expect(leases.expired(13_000, 10)).toEqual([1n]);
  });

  test("once its revoke is proposed a lease is neither renewed nor handed out again", () => {
    const leases = primary();
    leases.grant({ id: 1n, ttlSec: 10n, nowMs: 0 });
    expect(leases.expired(10_000, 10)).toEqual([1n]);
    leases.markRevoking(1n);
    expect(() => leases.renew(1n, 10_000)).toThrow(withCode("REVOKING"));
    expect(leases.expired(100_000, 10)).toEqual([]);
    expect(leases.timeToLive(1n, 10_000).remainingSec).toBe(0);
  });

  test("a revoke that was never appended is taken back: the lease can be renewed, and is handed out if overdue", () => {
    const leases = primary();
    for (const id of [1n, 2n]) leases.grant({ id, ttlSec: 10n, nowMs: 0 });
    leases.markRevoking(1n);
    leases.unmarkRevoking(1n);
    leases.unmarkRevoking(2n);
    leases.unmarkRevoking(9n);
    expect(leases.renew(1n, 5_000).ttlSec).toBe(10);
    expect(leases.expired(10_000, 10)).toEqual([2n]);
    leases.markRevoking(2n);
    leases.unmarkRevoking(2n);
    expect(leases.expired(10_000, 10)).toEqual([2n]);
    expect(leases.expired(15_000, 10)).toEqual([2n, 1n]);
  });

  test("a new promotion forgets which revokes were proposed", () => {
    const leases = primary();
    leases.grant({ id: 1n, ttlSec: 10n, nowMs: 0 });
    leases.markRevoking(1n);
    leases.demote();
    leases.promote(5_000, 0);
    expect(leases.renew(1n, 5_000).ttlSec).toBe(10);
    expect(leases.expired(15_000, 10)).toEqual([1n]);
  });

  test("a renewal undoes the extension of a promotion", () => {
    const leases = lessor();
    leases.grant({ id: 1n, ttlSec: 10n, nowMs: 0 });
    leases.promote(0, 60_000);
    leases.renew(1n, 1_000);
    expect(leases.expired(10_999, 10)).toEqual([]);
    expect(leases.expired(11_000, 10)).toEqual([1n]);
  });

  test("a mass expiry is handed out in bounded parts, each lease once", () => {
    const leases = primary();
    for (let id = 1n; id <= 1_200n; id++) leases.grant({ id, ttlSec: 2n, nowMs: 0 });
    const first = leases.expired(2_000, 500);
    const second = leases.expired(2_500, 500);
    const third = leases.expired(3_000, 500);
    expect([first.length, second.length, third.length]).toEqual([500, 500, 200]);
    expect(new Set([...first, ...second, ...third]).size).toBe(1_200);
  });
});

describe("checkpoints", () => {
  const options = { checkpointIntervalSec: 100 };

  test("the log is told what is left of a long lease after each interval", () => {
    const leases = primary(options);
    leases.grant({ id: 1n, ttlSec: 1_000n, nowMs: 0 });
    leases.grant({ id: 2n, ttlSec: 100n, nowMs: 0 });
    expect(leases.dueCheckpoints(99_999, 10)).toEqual([]);
    expect(leases.dueCheckpoints(100_500, 10)).toEqual([{ ID: 1n, remainingTTL: 900 }]);
    leases.checkpoint({ ID: 1n, remainingTTL: 900 }, 101_000);
    expect(leases.dueCheckpoints(200_999, 10)).toEqual([]);
    expect(leases.dueCheckpoints(201_000, 10)).toEqual([{ ID: 1n, remainingTTL: 799 }]);
  });

  test("a checkpoint that came to nothing is due again after three seconds", () => {
    const leases = primary(options);
    leases.grant({ id: 1n, ttlSec: 1_000n, nowMs: 0 });
    leases.dueCheckpoints(100_000, 10);
    expect(leases.dueCheckpoints(102_999, 10)).toEqual([]);
    expect(leases.dueCheckpoints(103_000, 10)).toEqual([{ ID: 1n, remainingTTL: 897 }]);
  });

  test("a promotion starts from what the last checkpoint left, also after a restart", () => {
    const backend = mapBackend();
    const leases = lessor({ backend, ...options });
    leases.grant({ id: 1n, ttlSec: 1_000n, nowMs: 0 });
    leases.checkpoint({ ID: 1n, remainingTTL: 900 }, 0);
    for (const promoted of [leases, lessor({ backend, ...options })]) {
      promoted.promote(5_000, 2_000);
      expect(promoted.timeToLive(1n, 5_000)).toEqual({ remainingSec: 902, grantedTtlSec: 1_000 });
      promoted.demote();
    }
  });

  test("rows keep a checkpoint only if they are told to", () => {
    const backend = mapBackend();
    const leases = lessor({ backend, persistsCheckpoints: () => false });
    leases.grant({ id: 1n, ttlSec: 1_000n, nowMs: 0 });
    leases.checkpoint({ ID: 1n, remainingTTL: 900 }, 0);
    const restarted = primary({ backend });
    expect(restarted.timeToLive(1n, 0).remainingSec).toBe(1_000);
  });

  test("a renewal asks for the checkpoint to be reset, until that is applied", () => {
    const leases = primary(options);
    leases.grant({ id: 1n, ttlSec: 1_000n, nowMs: 0 });
    leases.checkpoint({ ID: 1n, remainingTTL: 900 }, 100_000);
    expect(leases.renew(1n, 110_000)).toEqual({ ttlSec: 1_000, resetCheckpoint: true });
    expect(leases.renew(1n, 111_000).resetCheckpoint).toBe(true);
    leases.checkpoint({ ID: 1n, remainingTTL: 0 }, 112_000);
    expect(leases.renew(1n, 113_000).resetCheckpoint).toBe(false);
  });

  test("a renewal while a checkpoint is on its way asks for a reset behind it", () => {
    const leases = primary(options);
    leases.grant({ id: 1n, ttlSec: 1_000n, nowMs: 0 });
    leases.dueCheckpoints(100_000, 10);
    expect(leases.renew(1n, 100_001).resetCheckpoint).toBe(true);
  });

  test("nothing is due for a lease that has ended, is being revoked, or lost only its extension", () => {
    const leases = lessor(options);
    leases.grant({ id: 1n, ttlSec: 101n, nowMs: 0 });
    for (const id of [2n, 3n]) leases.grant({ id, ttlSec: 1_000n, nowMs: 0 });
    leases.promote(0, 0);
    leases.markRevoking(2n);
    leases.checkpoint({ ID: 2n, remainingTTL: 0 }, 0);
    expect(leases.dueCheckpoints(500_000, 10)).toEqual([{ ID: 3n, remainingTTL: 500 }]);

    leases.promote(0, 200_000);
    expect(leases.dueCheckpoints(100_000, 10)).toEqual([]);
  });

  test("no more than the limit is due at once", () => {
    const leases = primary(options);
    for (let id = 1n; id <= 5n; id++) leases.grant({ id, ttlSec: 1_000n, nowMs: 0 });
    expect(leases.dueCheckpoints(100_000, 3)).toHaveLength(3);
    expect(leases.dueCheckpoints(100_000, 3)).toHaveLength(2);
  });
});

describe("reload()", () => {
  test("takes over the leases of a store that was replaced, without keys and demoted", async () => {
    const [backend, other] = [mapBackend(), mapBackend()];
    const leases = primary({ backend });
    for (const id of [1n, 2n]) leases.grant({ id, ttlSec: 10n, nowMs: 0 });
    leases.attach(1n, "a");
    const ahead = lessor({ backend: other });
    for (const id of [1n, 3n]) ahead.grant({ id, ttlSec: 20n, nowMs: 0 });
    async function* rows(): AsyncGenerator<["lease", Uint8Array, Uint8Array]> {
      for (const [key, value] of other.scan("lease")) yield ["lease", key, value];
    }
    await backend.replace(rows());
    leases.reload();
    expect(leases.primary).toBe(false);
    expect(leases.leases()).toEqual([1n, 3n]);
    expect(leases.keysOf(1n)).toEqual([]);
    leases.promote(0, 0);
    expect(leases.timeToLive(1n, 0)).toEqual({ remainingSec: 20, grantedTtlSec: 20 });
  });

  test("leaves everything as it is if a row is damaged", () => {
    const backend = mapBackend();
    const leases = primary({ backend });
    leases.grant({ id: 1n, ttlSec: 10n, nowMs: 0 });
    leases.attach(1n, "a");
    backend.put("lease", utf8("damaged"), utf8("?"));
    expect(() => leases.reload()).toThrow(withCode("CORRUPT"));
    expect(leases.keysOf(1n)).toEqual(["a"]);
    expect(leases.primary).toBe(true);
  });
});

test("options that make no sense are refused", () => {
  expect(() => lessor({ minTtlSec: 0 })).toThrow("Invariant broken");
  expect(() => lessor({ minTtlSec: 1.5 })).toThrow("Invariant broken");
  expect(() => lessor({ checkpointIntervalSec: 0 })).toThrow("Invariant broken");
});
