import { type BackendUnderTest, describeBackend } from "@conclave/testkit";
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
