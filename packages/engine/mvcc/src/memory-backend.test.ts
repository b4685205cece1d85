import { type Bucket, utf8 } from "@conclave/base";
import { type BackendUnderTest, describeBackend } from "@conclave/testkit";
import { describe, expect, it } from "vitest";
import { createMemoryBackend, type MemoryBackend } from "./memory-backend.ts";

async function memoryUnderTest(): Promise<BackendUnderTest> {
  let current: MemoryBackend = createMemoryBackend();
  return {
    async open() {
      current = current.crash();
      return current;
    },
    async crash() {},
    async dispose() {},
  };
}

describeBackend("memory", memoryUnderTest);

describe("createMemoryBackend()", () => {
  it("loses a commit that is under way when it crashes", async () => {
    let persisted = () => {};
    const persist = () => new Promise<void>((resolve) => (persisted = resolve));
    const backend = createMemoryBackend({ persist });
    backend.put("key", utf8("a"), utf8("1"));
    const committed = backend.commit();
    await Promise.resolve();
    const reopened = backend.crash();
    persisted();
    await committed;
    expect([...reopened.scan("key")]).toEqual([]);
  });

  it.each([0, 1, 2, 3])("has lost its applied index if it crashes after %i steps of a replacement", async (steps) => {
    let left = Number.POSITIVE_INFINITY;
    let reached = () => {};
    const stopped = new Promise<void>((resolve) => (reached = resolve));
    const persist = async () => {
      if (left-- > 0) return;
      reached();
      await new Promise(() => {});
    };
    const backend = createMemoryBackend({ persist });
    const index = utf8("consistent_index");
    backend.put("meta", index, utf8("3"));
    await backend.commit();
    left = steps;
    async function* entries(): AsyncGenerator<[Bucket, Uint8Array, Uint8Array]> {
      yield ["meta", index, utf8("9")];
      for (let number = 0; number < 150; number++) yield ["key", utf8(`${number}`), utf8("")];
    }
    backend.replace(entries()).catch(() => {});
    await stopped;
    left = Number.POSITIVE_INFINITY;
    const reopened = backend.crash();
    // The first step empties the store, the last one writes "meta".
    expect(reopened.get("meta", index)).toEqual(steps === 0 ? utf8("3") : undefined);
    expect([...reopened.scan("key")]).toHaveLength([0, 0, 99, 150][steps] ?? Number.NaN);
  });

  it("fails all commits once one has failed, and keeps what was durable", async () => {
    let isFull = false;
    const persist = async () => {
      if (isFull) throw new Error("The disk is full");
    };
    const backend = createMemoryBackend({ persist });
    backend.put("key", utf8("a"), utf8("1"));
    await backend.commit();
    isFull = true;
    backend.put("key", utf8("b"), utf8("2"));
    await expect(backend.commit()).rejects.toThrow("The disk is full");
    isFull = false;
    await expect(backend.commit()).rejects.toThrow("The disk is full");
    expect([...backend.crash().scan("key")]).toHaveLength(1);
  });

  it("refuses to be used after it was closed or has crashed", async () => {
    const backend = createMemoryBackend();
    backend.crash();
    expect(() => backend.get("key", utf8("a"))).toThrow("an open backend is used");
    expect(() => backend.commit()).toThrow("an open backend commits");
  });
});
