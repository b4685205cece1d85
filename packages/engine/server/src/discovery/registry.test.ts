import { describe, expect, test } from "vitest";
import { clusterFromRegistry, type RegistryEntry, type RegistryOptions, type RegistryStore } from "./registry.ts";

/** A registry in memory. */
function registry(initial: Readonly<Record<string, string>>): RegistryStore & { readonly keys: () => string[] } {
  const entries = new Map<string, RegistryEntry>();
  let revision = 1;
  const put = (key: string, value: string): void => {
    revision++;
    entries.set(key, { key, value, createRevision: entries.get(key)?.createRevision ?? revision });
  };
  for (const [key, value] of Object.entries(initial)) put(key, value);
  return {
    list: async (prefix) => [...entries.values()].filter(({ key }) => key.startsWith(prefix)).sort(byKey),
    put: async (key, value) => put(key, value),
    keys: () => [...entries.keys()].sort(),
  };
}

const byKey = (left: RegistryEntry, right: RegistryEntry): number => (left.key < right.key ? -1 : 1);
const sizeKey = "/_etcd/registry/t/_config/size";
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function member(id: bigint, pause: () => Promise<void> = turn): RegistryOptions {
  return { token: "t", memberId: id, member: `m${id}=http://10.0.0.${id}:2380`, pause };
}

describe("clusterFromRegistry()", () => {
  test("waits until all members have come, and tells all of them the same, in the order in which they came", async () => {
    const store = registry({ [sizeKey]: "3" });
    const third = clusterFromRegistry(store, member(3n));
    await turn();
    const others = [clusterFromRegistry(store, member(1n)), clusterFromRegistry(store, member(2n))];
    const clusters = await Promise.all([third, ...others]);
    expect(new Set(clusters).size).toBe(1);
    expect(clusters[0]).toMatch(/^m3=http:\/\/10.0.0.3:2380,/);
  });

  test("keeps the keys of etcd's v3 discovery, ids in hexadecimal", async () => {
    const store = registry({ [sizeKey]: "1" });
    await clusterFromRegistry(store, { ...member(1n), memberId: 0xabcn });
    expect(store.keys()).toEqual([sizeKey, "/_etcd/registry/t/members/abc"]);
  });

  test("lets a member that was interrupted ask again", async () => {
    const store = registry({ [sizeKey]: "1" });
    const first = await clusterFromRegistry(store, member(1n));
    expect(await clusterFromRegistry(store, member(1n))).toBe(first);
  });

  test("refuses one member too many", async () => {
    const store = registry({ [sizeKey]: "1" });
    await clusterFromRegistry(store, member(1n));
    await expect(clusterFromRegistry(store, member(2n))).rejects.toMatchObject({
      code: "JOIN",
      message: expect.stringContaining("its cluster of 1 is full"),
    });
    expect(store.keys()).toHaveLength(2);
  });

  test("gives up while it waits", async () => {
    const store = registry({ [sizeKey]: "2" });
    const gone = new Error("aborted");
    await expect(
      clusterFromRegistry(
        store,
        member(1n, () => Promise.reject(gone)),
      ),
    ).rejects.toBe(gone);
  });

  test.each([
    ["is missing", {}, `the discovery service has no key '${sizeKey}'`],
    ["is no number", { [sizeKey]: "three" }, "the discovery service has 'three'"],
    ["is none", { [sizeKey]: "0" }, "the discovery service has '0'"],
  ])("refuses a registry in which the size of the cluster %s", async (_, initial, message) => {
    await expect(clusterFromRegistry(registry(initial), member(1n))).rejects.toMatchObject({
      code: "CONFIG",
      message: expect.stringContaining(message),
    });
  });
});
