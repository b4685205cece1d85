import { describe, expect, test } from "vitest";
import { IncomingBody } from "./incoming-body.ts";

describe("the body of a request", () => {
  test("that is held in frames of a byte comes whole and in order, and gives back what it took of the window", () => {
    let taken = 0;
    const body = new IncomingBody({ onTaken: (bytes) => (taken += bytes) }, undefined);
    const sent = Buffer.from(Array.from({ length: 5_000 }, (_, at) => at));
    for (const byte of sent) expect(body.push(Buffer.of(byte), 3)).toBeUndefined();
    const received: Uint8Array[] = [];
    body.receiver = {
      onData: (bytes) => received.push(bytes),
      onEnd: () => undefined,
      onDrain: () => undefined,
      onClose: () => undefined,
    };
    body.resume();
    expect(received.length).toBeLessThan(1_100);
    expect(Buffer.concat(received).equals(sent)).toBe(true);
    expect(taken).toBe(3 * sent.length);
  });

  test("that is given up gives back what it took of the window", () => {
    const body = new IncomingBody({ onTaken: () => undefined }, undefined);
    for (let at = 0; at < 3_000; at++) body.push(Buffer.of(at), 2);
    expect(body.discard()).toBe(6_000);
    expect(body.discard()).toBe(0);
  });
});
