import { GrpcStatus } from "@conclave/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MessageReader } from "./message-reader.ts";

function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Cuts bytes behind each of some places. */
function cut(bytes: Uint8Array, places: readonly number[]): readonly Uint8Array[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...sorted].map((from, at) => bytes.subarray(from, sorted[at] ?? bytes.length));
}

describe("MessageReader", () => {
  test("finds the same messages however the bytes are cut", () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 });
    fc.assert(
      fc.property(messages, fc.array(fc.nat(), { maxLength: 40 }), (sent, places) => {
        const received: Uint8Array[] = [];
        const reader = new MessageReader((message) => received.push(message));
        for (const piece of cut(Buffer.concat(sent.map(framed)), places)) reader.read(piece);
        expect(received).toEqual(sent);
        expect(reader.isMidway).toBe(false);
      }),
    );
  });

  test("gives each message memory of its own", () => {
    const received: Uint8Array[] = [];
    const reader = new MessageReader((message) => received.push(message));
    const chunk = Buffer.concat([framed(Uint8Array.of(1)), Buffer.alloc(60_000, framed(Uint8Array.of(2, 3)))]);
    reader.read(chunk);
    chunk.fill(9);
    expect(received[0]).toEqual(Uint8Array.of(1));
    expect(received[0]?.buffer.byteLength).toBe(1);
  });

  test("knows that a message has begun and not ended", () => {
    const reader = new MessageReader(() => {});
    reader.read(framed(Uint8Array.of(1, 2, 3)).subarray(0, 3));
    expect(reader.isMidway).toBe(true);
  });

  test("refuses a compressed message, which it has not asked for", () => {
    const compressed = framed(Uint8Array.of(1));
    compressed[0] = 1;
    const read = () => new MessageReader(() => {}).read(compressed);
    expect(read).toThrow(expect.objectContaining({ status: GrpcStatus.Internal }));
  });
});
