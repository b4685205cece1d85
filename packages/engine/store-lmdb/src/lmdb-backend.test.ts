import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Backend } from "@conclave/base";
import { type BackendUnderTest, describeBackend } from "@conclave/testkit";
import { openLmdbBackend } from "./lmdb-backend.ts";

async function lmdbUnderTest(): Promise<BackendUnderTest> {
  const path = await mkdtemp(join(tmpdir(), "conclave-store-"));
  const opened = new Set<Backend>();
  return {
    async open() {
      const backend = await openLmdbBackend({ path });
      opened.add(backend);
      return backend;
    },
    // Closing saves nothing that was not committed, which is what a crash of the process costs.
    crash: (backend) => backend.close(),
    async dispose() {
      for (const backend of opened) await backend.close();
      await rm(path, { recursive: true, force: true });
    },
  };
}

describeBackend("LMDB", lmdbUnderTest);
