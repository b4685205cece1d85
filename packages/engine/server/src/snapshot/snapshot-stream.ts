/**
 * @module What `Maintenance.Snapshot` sends: the store as etcd's database file, then its SHA-256. The state is copied out
 * into a file first, while writes go on, so that neither a slow reader nor a large store keeps a view of the store open
 * or a file in memory.
 *
 * ```
 * remaining_bytes   n − 32 KiB     n − 64 KiB    ...    0         0
 * blob              32 KiB         32 KiB        ...    the rest  SHA-256 of all before
 * ```
 */
import { createHash } from "node:crypto";
import type { Clock, Scheduler } from "@conclave/base";
import type { OutgoingDatabase } from "@conclave/peer";
import { GrpcStatus, WireError } from "@conclave/protocol";
import type { SnapshotResponse } from "@conclave/protocol/etcdserverpb";
import { type ResponseStream, RpcError } from "@conclave/rpc";
import type { Log } from "../log.ts";

/** A state that was copied out. */
export interface ExportedDatabase extends OutgoingDatabase {
  /** The version of the layout, as the database says it; empty if it does not. */
  readonly storageVersion: string;
}

/** What streaming snapshots takes. */
export interface SnapshotStreamerPorts {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  /** Copies the present state out into a file; gives up once the signal aborts. */
  readonly exportDatabase: (signal: AbortSignal) => Promise<ExportedDatabase>;
  readonly log: Log;
}

/** Snapshots under way at a time; each is a copy of the store on the disk. */
export const concurrentSnapshotsMax = 2;
/** Bytes of one message, as in etcd. */
const blobBytesMax = 32 * 1024;
/** After how long without taking a byte a reader is given up. */
export const readerStallMs = 30_000;
/** The time a reader has in any case, and the rate at which it must read beyond that. */
export const readerGraceMs = 60_000;
const readerBytesPerMs = 100;

/** Sends snapshots to clients. */
export class SnapshotStreamer {
  readonly #ports: SnapshotStreamerPorts;
  #underWay = 0;

  constructor(ports: SnapshotStreamerPorts) {
    this.#ports = ports;
  }

  /**
   * Sends the present state.
   *
   * @param signal - aborts when the reader is gone
   * @throws WireError `RequestTooManyRequests` if too many snapshots are under way, RpcError if the state could not be
   * copied out or the reader is too slow, the reason of `signal` if it aborts
   */
  async send(responses: ResponseStream<SnapshotResponse>, signal: AbortSignal): Promise<void> {
    if (this.#underWay >= concurrentSnapshotsMax) throw new WireError("RequestTooManyRequests");
    this.#underWay += 1;
    try {
      const database = await this.#export(signal);
      try {
        await this.#stream(database, responses, signal);
      } finally {
        await database.release();
      }
    } finally {
      this.#underWay -= 1;
    }
  }

  async #export(signal: AbortSignal): Promise<ExportedDatabase> {
    try {
      return await this.#ports.exportDatabase(signal);
    } catch (error) {
      signal.throwIfAborted();
      const reason = error instanceof Error && "code" in error ? String(error.code) : String(error);
      this.#ports.log.warn("could not make a snapshot", { error: reason });
      throw new RpcError(GrpcStatus.ResourceExhausted, `conclave: could not make a snapshot: ${reason}`, {
        cause: error,
      });
    }
  }

  async #stream(
    { sizeBytes, read, storageVersion: version }: ExportedDatabase,
    responses: ResponseStream<SnapshotResponse>,
    signal: AbortSignal,
  ): Promise<void> {
    const pace = new ReaderPace(this.#ports, sizeBytes);
    const hash = createHash("sha256");
    let remainingBytes = sizeBytes;
    for await (const chunk of read()) {
      hash.update(chunk);
      for (let at = 0; at < chunk.length; at += blobBytesMax) {
        signal.throwIfAborted();
        const blob = chunk.subarray(at, at + blobBytesMax);
        remainingBytes -= blob.length;
        if (!responses.write({ header: undefined, remainingBytes, blob, version })) await pace.drained(responses);
      }
    }
    responses.write({ header: undefined, remainingBytes: 0, blob: hash.digest(), version });
  }
}

/** Holds a reader to a pace, so that none keeps a copy of the store on the disk for ever. */
class ReaderPace {
  readonly #ports: Pick<SnapshotStreamerPorts, "clock" | "scheduler">;
  readonly #deadlineMs: number;

  constructor(ports: Pick<SnapshotStreamerPorts, "clock" | "scheduler">, sizeBytes: number) {
    this.#ports = ports;
    this.#deadlineMs = ports.clock.monotonicMs() + readerGraceMs + sizeBytes / readerBytesPerMs;
  }

  /** Waits until the reader has taken what it was sent. */
  async drained(responses: Pick<ResponseStream<SnapshotResponse>, "drained">): Promise<void> {
    const leftMs = Math.max(0, this.#deadlineMs - this.#ports.clock.monotonicMs());
    await new Promise<void>((resolve, reject) => {
      const timer = this.#ports.scheduler.after(
        Math.min(readerStallMs, leftMs),
        () => reject(new RpcError(GrpcStatus.DeadlineExceeded, "conclave: the snapshot is read too slowly")),
        { background: true },
      );
      responses
        .drained()
        .then(resolve, reject)
        .finally(() => timer.cancel());
    });
  }
}
