import { createHash } from "node:crypto";
import { concatBytes, emptyBytes, utf8 } from "@conclave/base";
import { createMemoryBackend } from "@conclave/mvcc";
import type { SnapshotResponse } from "@conclave/protocol/etcdserverpb";
import type { ResponseStream } from "@conclave/rpc";
import { simulatedDisk, virtualTime } from "@conclave/testkit";
import { beforeEach, describe, expect, test } from "vitest";
import { silentLog } from "../log.ts";
import { SnapshotFiles } from "./snapshot-files.ts";
import { concurrentSnapshotsMax, readerGraceMs, readerStallMs, SnapshotStreamer } from "./snapshot-stream.ts";

const directory = "/member/snap";
const never = new AbortController().signal;

/** A reader that takes a message only when told to, or all of them at once. */
class Reader implements ResponseStream<SnapshotResponse> {
  readonly taken: SnapshotResponse[] = [];
  readonly bufferedBytes = 0;
  isStalled = false;
  #resume = (): void => {};

  write(response: SnapshotResponse): boolean {
    this.taken.push({ ...response, blob: Uint8Array.from(response.blob) });
    return !this.isStalled;
  }

  writeEncoded(): boolean {
    return false;
  }

  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  takeOne(): void {
    this.#resume();
  }

  get content(): Uint8Array {
    return concatBytes(this.taken.slice(0, -1).map(({ blob }) => blob));
  }
}

describe("SnapshotStreamer", () => {
  let time = virtualTime();
  let disk = simulatedDisk({ random: time.random });
  let streamer: SnapshotStreamer;

  beforeEach(async () => {
    time = virtualTime();
    disk = simulatedDisk({ random: time.random });
    await disk.makeDirectory("/member", 0o700);
    const files = new SnapshotFiles(disk, directory);
    await files.prepare(0);
    const backend = createMemoryBackend();
    for (let at = 0; at < 3000; at++) backend.put("key", utf8(String(at).padStart(17, "0")), new Uint8Array(100));
    await backend.commit();
    streamer = new SnapshotStreamer({
      clock: time,
      scheduler: time,
      log: silentLog,
      exportDatabase: async () => ({
        ...(await files.export(backend.openView(), async () => {})),
        storageVersion: "3.6.0",
      }),
    });
  });

  const filesLeft = () => disk.list(directory);
  const stalled = (): Reader => Object.assign(new Reader(), { isStalled: true });

  test("sends pieces of at most 32 KiB, what remains after each, and the checksum of all of them last", async () => {
    const reader = new Reader();
    await time.complete(streamer.send(reader, never));
    const total = reader.content.length;
    let remaining = total;
    for (const { blob, remainingBytes, version } of reader.taken.slice(0, -1)) {
      remaining -= blob.length;
      expect(blob.length).toBeLessThanOrEqual(32 * 1024);
      expect({ remainingBytes, version }).toEqual({ remainingBytes: remaining, version: "3.6.0" });
    }
    expect(total % 4096).toBe(0);
    expect(total).toBeGreaterThan(300_000);
    const blob = createHash("sha256").update(reader.content).digest();
    expect(reader.taken.at(-1)).toEqual({
      header: undefined,
      remainingBytes: 0,
      blob: Uint8Array.from(blob),
      version: "3.6.0",
    });
    expect(await filesLeft()).toEqual([]);
  });

  test("reads no further than its reader takes", async () => {
    const reader = stalled();
    const sent = streamer.send(reader, never).catch(() => {});
    for (let taken = 1; taken <= 5; taken++) {
      await time.settle();
      expect(reader.taken).toHaveLength(taken);
      reader.takeOne();
    }
    await time.advance(readerStallMs + 1);
    await sent;
  });

  test("gives a reader up that takes nothing for too long, and removes the file", async () => {
    const sent = streamer.send(stalled(), never);
    const outcome = expect(sent).rejects.toThrow("the snapshot is read too slowly");
    await time.advance(readerStallMs - 1);
    expect(await filesLeft()).toHaveLength(1);
    await time.advance(2);
    await outcome;
    expect(await filesLeft()).toEqual([]);
  });

  test("gives a reader up that takes a little now and then for ever", async () => {
    const reader = stalled();
    let failure: unknown;
    const sent = streamer.send(reader, never).catch((error: unknown) => {
      failure = error;
    });
    await time.settle();
    const stepMs = readerStallMs / 2;
    for (let elapsedMs = 0; elapsedMs < readerGraceMs + 2 * stepMs; elapsedMs += stepMs) {
      reader.takeOne();
      await time.advance(stepMs);
    }
    await sent;
    expect(String(failure)).toContain("read too slowly");
    expect(reader.taken.length).toBeLessThan(10);
  });

  test("makes no more than so many copies of the store at a time", async () => {
    const controller = new AbortController();
    const underWay = Array.from({ length: concurrentSnapshotsMax }, () => streamer.send(stalled(), never));
    await time.settle();
    await expect(streamer.send(new Reader(), controller.signal)).rejects.toMatchObject({
      code: "RequestTooManyRequests",
    });
    const ended = Promise.allSettled(underWay);
    await time.advance(readerStallMs + 1);
    await ended;
    await time.complete(streamer.send(new Reader(), never));
  });

  test("removes the file when the reader is gone", async () => {
    const controller = new AbortController();
    const reader = stalled();
    const sent = streamer.send(reader, controller.signal);
    const outcome = expect(sent).rejects.toThrow("gone");
    await time.settle();
    controller.abort(new Error("gone"));
    reader.takeOne();
    await time.settle();
    await outcome;
    expect(await filesLeft()).toEqual([]);
  });

  test("tells of a full disk, leaves nothing on it and goes on once there is room", async () => {
    disk.limitFreeBytes(64 * 1024);
    const reader = new Reader();
    await expect(time.complete(streamer.send(reader, never))).rejects.toThrow("could not make a snapshot: ENOSPC");
    expect(reader.taken).toEqual([]);
    expect(await filesLeft()).toEqual([]);
    disk.limitFreeBytes(Number.POSITIVE_INFINITY);
    await time.complete(streamer.send(reader, never));
    expect(reader.content).not.toEqual(emptyBytes);
  });
});
