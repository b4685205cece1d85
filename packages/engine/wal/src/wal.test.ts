import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Entry } from "@conclave/raft";
import { expect, it } from "vitest";
import { createWal, nodeFileSystem, openWal, validSnapshots } from "./index.ts";

it("smoke", async () => {
  const dir = await mkdtemp(join(tmpdir(), "wal-"));
  try {
    const o = { fileSystem: nodeFileSystem(), directory: join(dir, "wal"), segmentBytes: 20000 };
    const wal = await createWal({ ...o, metadata: new Uint8Array([8, 1, 16, 2]) });
    const entries: Entry[] = [];
    for (let i = 1; i <= 1000; i++) {
      const e: Entry = { type: "normal", term: 1, index: i, data: new Uint8Array(i % 300).fill(i) };
      entries.push(e);
      await wal.save({ term: 1, vote: 2n ** 63n, commit: i - 1 }, [e]);
    }
    await wal.close();
    const opened = await openWal(o);
    expect(opened.entries).toEqual(entries);
    await opened.wal.saveSnapshot({
      index: 500,
      term: 1,
      confState: { voters: [5n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false },
    });
    await opened.wal.release(500);
    await opened.wal.close();
    const [s] = (await validSnapshots(o)).slice(-1);
    const again = await openWal({ ...o, ...(s ? { from: s } : {}) });
    expect(again.entries).toEqual(entries.slice(500));
    await again.wal.close();
  } finally {
    await rm(dir, { recursive: true });
  }
});
