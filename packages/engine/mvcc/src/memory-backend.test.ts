import { utf8 } from "@conclave/base";
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
