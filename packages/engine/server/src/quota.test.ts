import { createMemoryBackend } from "@conclave/mvcc";
import { WireError } from "@conclave/protocol";
import { AlarmType } from "@conclave/protocol/etcdserverpb";
import { describe, expect, test } from "vitest";
import { createAlarms } from "./apply/alarms.ts";
import { silentLog } from "./log.ts";
import { createQuota, type QuotaMember } from "./quota.ts";

const quotaBytes = 1_000;

/** A member whose store holds so many bytes. */
async function lab(storedBytes: number) {
  const backend = createMemoryBackend();
  backend.put("key", new Uint8Array(10), new Uint8Array(storedBytes - 10));
  await backend.commit();
  const alarms = createAlarms(createMemoryBackend());
  const state = { proposals: 0, failure: undefined as Error | undefined };
  const propose = async (): Promise<unknown> => {
    state.proposals++;
    if (state.failure !== undefined) throw state.failure;
    return alarms.activate(1n, AlarmType.NOSPACE);
  };
  const member = { id: 1n, alarms, backend, propose, ports: { log: silentLog } } as unknown as QuotaMember;
  return { quota: createQuota(member, quotaBytes), alarms, backend, state };
}

describe("admit()", () => {
  test("lets pass what fits, with what it costs beside its own bytes", async () => {
    const { quota, state } = await lab(quotaBytes - 300);
    expect(quota.admit(43)).toBeUndefined();
    await expect(quota.admit(44)).rejects.toMatchObject({ code: "NoSpace" });
    expect(state.proposals).toBe(1);
  });

  test("counts what the store does not hold yet", async () => {
    const { quota, backend } = await lab(100);
    backend.put("key", new Uint8Array(10), new Uint8Array(700));
    await expect(quota.admit(0)).rejects.toMatchObject({ code: "NoSpace" });
  });

  test("raises the alarm once for writes that come at once", async () => {
    const { quota, alarms, state } = await lab(quotaBytes);
    const writes = await Promise.allSettled([quota.admit(1), quota.admit(1), quota.admit(1)]);
    expect(writes.every(({ status }) => status === "rejected")).toBe(true);
    expect(alarms.list(AlarmType.NOSPACE)).toEqual([{ memberID: 1n, alarm: AlarmType.NOSPACE }]);
    expect(state.proposals).toBe(1);
  });

  test("raises it again after it was disarmed, if the store is still full", async () => {
    const { quota, alarms, state } = await lab(quotaBytes);
    await quota.admit(1)?.catch(() => {});
    alarms.deactivate(1n, AlarmType.NOSPACE);
    await quota.admit(1)?.catch(() => {});
    expect(state.proposals).toBe(2);
  });

  test("tells why the alarm could not be raised, and raises it with the next write", async () => {
    const { quota, alarms, state } = await lab(quotaBytes);
    state.failure = new WireError("Timeout");
    await expect(quota.admit(1)).rejects.toMatchObject({ code: "Timeout" });
    state.failure = undefined;
    await expect(quota.admit(1)).rejects.toMatchObject({ code: "NoSpace" });
    expect(alarms.isActive(AlarmType.NOSPACE)).toBe(true);
  });

  test("lets everything pass without a quota", async () => {
    const { backend } = await lab(100);
    const none = createQuota({ backend } as unknown as QuotaMember, Number.POSITIVE_INFINITY);
    expect(none.admit(2 ** 40)).toBeUndefined();
  });
});

describe("onGrowth()", () => {
  test("raises the alarm for what other members let pass", async () => {
    const { quota, alarms, state } = await lab(quotaBytes);
    quota.onGrowth();
    quota.onGrowth();
    await Promise.resolve();
    expect(alarms.isActive(AlarmType.NOSPACE)).toBe(true);
    quota.onGrowth();
    expect(state.proposals).toBe(1);
  });

  test("does nothing while there is room", async () => {
    const { quota, state } = await lab(quotaBytes - 1);
    quota.onGrowth();
    expect(state.proposals).toBe(0);
  });
});
