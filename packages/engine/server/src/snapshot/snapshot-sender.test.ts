import { utf8 } from "@conclave/base";
import { createMemoryBackend } from "@conclave/mvcc";
import { createMessage, type Message } from "@conclave/raft";
import { simulatedDisk, virtualTime } from "@conclave/testkit";
import { expect, test } from "vitest";
import { writeConsistentIndex } from "../apply/applied-state.ts";
import { silentLog } from "../log.ts";
import { SnapshotFiles } from "./snapshot-files.ts";
import { SnapshotSender } from "./snapshot-sender.ts";

const directory = "/member/snap";
const term = 13;

/** A sender of a member with some state, and what becomes of a snapshot while it is made. */
async function scene({ leads, isFailing = false }: { leads: number; isFailing?: boolean }) {
  const time = virtualTime();
  const disk = simulatedDisk({ random: time.random, scheduler: time, latencyMs: () => 0 });
  await disk.makeDirectory("/member", 0o700);
  const files = new SnapshotFiles(disk, directory);
  await files.prepare(0);
  const backend = createMemoryBackend();
  backend.put("key", utf8("a"), utf8("b"));
  writeConsistentIndex(backend, 1239, term);
  await backend.commit();
  const sent: Message[] = [];
  const failed: bigint[] = [];
  const asked: number[] = [];
  const sender = new SnapshotSender({
    backend,
    files,
    transport: {
      sendSnapshot(message, database) {
        sent.push(message);
        void database.release();
      },
    },
    flush: isFailing ? () => Promise.reject(new Error("the disk is full")) : async () => {},
    pause: async () => {},
    leadsIn(each) {
      asked.push(each);
      return each === leads;
    },
    onFailure: (to) => failed.push(to),
    log: silentLog,
  });
  sender.send(createMessage({ type: "MsgSnap", to: 2n, from: 1n }, { term }));
  await expect.poll(() => asked.length + failed.length).toBe(1);
  await expect.poll(() => disk.list(directory)).toEqual([]);
  return { sent, failed };
}

test("a leader sends its applied state", async () => {
  const { sent, failed } = await scene({ leads: term });
  expect(sent.map(({ snapshot }) => snapshot?.metadata.index)).toEqual([1239]);
  expect(failed).toEqual([]);
});

test("a snapshot that could not be made is reported", async () => {
  expect(await scene({ leads: term, isFailing: true })).toEqual({ sent: [], failed: [2n] });
});

// npm run sim -- --seed 2115630947 --seconds 60: it went out in a term that had ended, after messages of later ones.
test("one that leads no more when its snapshot is made keeps it, and removes the file", async () => {
  expect(await scene({ leads: term + 2 })).toEqual({ sent: [], failed: [] });
});
