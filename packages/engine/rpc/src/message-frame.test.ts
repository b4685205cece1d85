import { KeyValue } from "@conclave/protocol/mvccpb";
import { describe, expect, test } from "vitest";
import { FrameEncoder, frameMessage } from "./message-frame.ts";
import { keyValue } from "./testing/echo-service.ts";

const framed = (message: KeyValue): Uint8Array => frameMessage(KeyValue.encode(message).finish());

describe("frameMessage()", () => {
  test("puts flag and length before the message, and joins its parts", () => {
    expect([...frameMessage(Uint8Array.of(1, 2), Uint8Array.of(), Uint8Array.of(3))]).toEqual([0, 0, 0, 0, 3, 1, 2, 3]);
    expect([...frameMessage()]).toEqual([0, 0, 0, 0, 0]);
    expect([...frameMessage(new Uint8Array(0x01_02_03)).subarray(0, 5)]).toEqual([0, 0, 1, 2, 3]);
  });
});

describe("FrameEncoder", () => {
  test("gives each message bytes of its own", () => {
    const encoder = new FrameEncoder();
    const messages = [keyValue("a", "1"), keyValue(""), keyValue("b", new Uint8Array(2_000_000)), keyValue("c")];
    const frames = messages.map((message) => encoder.encode(KeyValue, message));
    for (const [at, message] of messages.entries()) {
      expect(Buffer.compare(frames[at] ?? Buffer.alloc(0), framed(message))).toBe(0);
    }
  });

  test("is not spoilt by a message that cannot be encoded", () => {
    const encoder = new FrameEncoder();
    const broken = { ...keyValue("half written"), lease: "no number" as unknown as bigint };
    expect(() => encoder.encode(KeyValue, broken)).toThrow();
    expect([...encoder.encode(KeyValue, keyValue("whole"))]).toEqual([...framed(keyValue("whole"))]);
  });
});
