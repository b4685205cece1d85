import { request } from "node:http";
import { crc32c } from "@conclave/base";
import type { Message } from "@conclave/raft";
import { describe, expect, it } from "vitest";
import { FrameWriter } from "./frame-writer.ts";
import { writeMessageFrame } from "./message-stream.ts";
import { identityHeaders } from "./peer-headers.ts";
import type { OutgoingDatabase } from "./peer-network.ts";
import { databaseChecksumTrailer, formatChecksum } from "./snapshot-checksum.ts";
import { introduce, type TestMember, testMember, testMessage } from "./testing/test-member.ts";

const snapshot: Message = testMessage({
  type: "MsgSnap",
  from: 1n,
  to: 2n,
  term: 3,
  snapshot: {
    data: Buffer.from("{}"),
    metadata: {
      index: 7,
      term: 2,
      confState: { voters: [1n, 2n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false },
    },
  },
});

interface Outgoing extends OutgoingDatabase {
  readonly given: number;
  readonly released: number;
}

/** A database of so many equal pieces. */
function database(options: {
  readonly pieces: number;
  readonly pieceBytes?: number;
  readonly sizeBytes?: number;
}): Outgoing {
  const { pieces, pieceBytes = 65_536 } = options;
  const state = { given: 0, released: 0 };
  return {
    sizeBytes: options.sizeBytes ?? pieces * pieceBytes,
    async *read() {
      for (; state.given < pieces; state.given++) yield Buffer.alloc(pieceBytes, state.given);
    },
    async release() {
      state.released++;
    },
    get given() {
      return state.given;
    },
    get released() {
      return state.released;
    },
  };
}

/** What a receiver was given. */
interface Received {
  message?: Message;
  bytes: number;
}

async function receiverOf(received: Received): Promise<TestMember> {
  return testMember({
    id: 2n,
    receiver: {
      async onSnapshot(message, content) {
        received.message = message;
        for await (const piece of content) received.bytes += piece.length;
      },
    },
  });
}

describe("a snapshot", () => {
  it("arrives with its database, and the sender is told", async () => {
    const received: Received = { bytes: 0 };
    await using one = await testMember({ id: 1n });
    await using two = await receiverOf(received);
    introduce(one, two);
    const sent = database({ pieces: 40 });
    one.transport.sendSnapshot(snapshot, sent);
    await one.until(() => one.snapshotStatus.length > 0);
    expect(one.snapshotStatus).toEqual(["2 finish"]);
    expect(received.bytes).toBe(40 * 65_536);
    expect(received.message?.snapshot?.metadata).toEqual(snapshot.snapshot?.metadata);
    expect(sent.released).toBe(1);
  });

  it("is read no faster than the receiver takes it", async () => {
    const sent = database({ pieces: 2000 });
    let aheadMax = 0;
    await using one = await testMember({ id: 1n });
    await using two = await testMember({
      id: 2n,
      receiver: {
        async onSnapshot(_message, content) {
          let taken = 0;
          for await (const piece of content) {
            taken += piece.length;
            aheadMax = Math.max(aheadMax, sent.given - taken / 65_536);
            await new Promise((resolve) => setImmediate(resolve));
          }
        },
      },
    });
    introduce(one, two);
    one.transport.sendSnapshot(snapshot, sent);
    await one.until(() => one.snapshotStatus.length > 0);
    expect(sent.given).toBe(2000);
    // What lies in between is in the buffers of the sockets.
    expect(aheadMax).toBeLessThan(1000);
  });

  it("fails when the receiver cannot take it, and the rest is not sent", async () => {
    await using one = await testMember({ id: 1n });
    await using two = await testMember({
      id: 2n,
      receiver: { onSnapshot: () => Promise.reject(new Error("no space left on device")) },
    });
    introduce(one, two);
    const sent = database({ pieces: 100_000 });
    one.transport.sendSnapshot(snapshot, sent);
    await one.until(() => one.snapshotStatus.length > 0);
    expect(one.snapshotStatus).toEqual(["2 failure"]);
    await one.until(() => sent.released === 1 || one.log.length > 100);
    expect(sent.given).toBeLessThan(100_000);
  });

  it("fails when the database is not of its size", async () => {
    const received: Received = { bytes: 0 };
    await using one = await testMember({ id: 1n });
    await using two = await receiverOf(received);
    introduce(one, two);
    const sent = database({ pieces: 2, sizeBytes: 3 * 65_536 });
    one.transport.sendSnapshot(snapshot, sent);
    await one.until(() => one.snapshotStatus.length > 0);
    expect(one.snapshotStatus).toEqual(["2 failure"]);
    await two.until(() => two.log.some(({ message }) => message === "could not take a snapshot"));
  });

  it("fails when the database cannot be read to its end, and the receiver does not take it for whole", async () => {
    const received: Received = { bytes: 0 };
    await using one = await testMember({ id: 1n });
    await using two = await receiverOf(received);
    introduce(one, two);
    const sent = database({ pieces: 1 });
    one.transport.sendSnapshot(snapshot, {
      ...sent,
      async *read() {
        yield* sent.read();
        throw new Error("the disk is gone");
      },
    });
    await one.until(() => one.snapshotStatus.length > 0);
    expect(one.snapshotStatus).toEqual(["2 failure"]);
    await two.until(() => two.log.some(({ message }) => message === "could not take a snapshot"));
  });

  it("is refused when its bytes have changed on the way", async () => {
    const received: Received = { bytes: 0 };
    await using two = await receiverOf(received);
    const frame = new FrameWriter();
    writeMessageFrame(frame, snapshot);
    const body = Buffer.concat([frame.finish(), Buffer.from("database")]);
    const reply = await new Promise<number>((resolve, reject) => {
      const sent = request(`${two.url}/raft/snapshot`, {
        method: "POST",
        agent: false,
        headers: { ...identityHeaders({ ...two.identity, memberId: 1n }, "3.6.0"), Trailer: databaseChecksumTrailer },
      });
      sent.on("error", reject);
      sent.on("response", (response) => resolve(response.resume().statusCode ?? 0));
      sent.write(body);
      sent.addTrailers({ [databaseChecksumTrailer]: formatChecksum(crc32c(Buffer.from("databasf"))) });
      sent.end();
    });
    expect(reply).toBe(500);
    expect(received.bytes).toBe(8);
  });

  it("is sent to a member once at a time: another one fails at once", async () => {
    const received: Received = { bytes: 0 };
    await using one = await testMember({ id: 1n });
    await using two = await receiverOf(received);
    introduce(one, two);
    const [first, second] = [database({ pieces: 100 }), database({ pieces: 100 })];
    one.transport.sendSnapshot(snapshot, first);
    one.transport.sendSnapshot(snapshot, second);
    expect(one.snapshotStatus).toEqual(["2 failure"]);
    await one.until(() => one.snapshotStatus.length === 2);
    expect(one.snapshotStatus).toEqual(["2 failure", "2 finish"]);
    expect([first.given, first.released, second.given, second.released]).toEqual([100, 1, 0, 1]);
  });

  it("fails when the receiver is not known, or when it travels without a database", async () => {
    await using one = await testMember({ id: 1n });
    const sent = database({ pieces: 1 });
    one.transport.sendSnapshot(snapshot, sent);
    one.transport.send([snapshot]);
    await one.until(() => one.snapshotStatus.length === 2);
    expect(one.snapshotStatus).toEqual(["2 failure", "2 failure"]);
    expect([sent.given, sent.released]).toEqual([0, 1]);
  });

  it("is given up when the receiver does not answer in time", async () => {
    const { promise, resolve } = defer();
    await using one = await testMember({ id: 1n, limits: { replyTimeoutMs: 20 } });
    await using two = await testMember({
      id: 2n,
      receiver: {
        async onSnapshot(_message, content) {
          for await (const _ of content);
          await promise;
        },
      },
    });
    introduce(one, two);
    one.transport.sendSnapshot(snapshot, database({ pieces: 1 }));
    await one.until(() => one.snapshotStatus.length > 0);
    expect(one.snapshotStatus).toEqual(["2 failure"]);
    resolve();
  });
});

function defer(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve: () => resolve() };
}
