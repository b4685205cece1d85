import { hex, MalformedError } from "@conclave/base";
import type { Message } from "@conclave/raft";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AppendStreamEncoder, appendStreamDecoder } from "./append-stream.ts";
import { FrameWriter } from "./frame-writer.ts";
import { messageStreamDecoder, messageStreamEncoder } from "./message-stream.ts";
import type { StreamDecoder, StreamEncoder } from "./stream-codec.ts";
import { testMessage } from "./testing/test-member.ts";

const [from, to] = [1n, 2n];
const bytesMax = 10_000;

interface Reader {
  readonly decoder: StreamDecoder;
  readonly messages: Message[];
}

function appendReader(): Reader {
  const messages: Message[] = [];
  return {
    messages,
    decoder: appendStreamDecoder({ from, to, bytesMax, onMessage: (message) => messages.push(message) }),
  };
}

function messageReader(): Reader {
  const messages: Message[] = [];
  return { messages, decoder: messageStreamDecoder({ bytesMax, onMessage: (message) => messages.push(message) }) };
}

function written(encoder: StreamEncoder, messages: readonly (Message | "keepAlive")[]): Uint8Array {
  const writer = new FrameWriter(1);
  for (const message of messages)
    if (message === "keepAlive") encoder.keepAlive(writer);
    else encoder.message(writer, message);
  return Uint8Array.from(writer.finish());
}

function pushInPieces(decoder: StreamDecoder, bytes: Uint8Array, sizes: readonly number[]): void {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    decoder.push(bytes.subarray(at, at + size));
    at += size;
  }
}

/** Appends as a leader sends them: often one behind the other, sometimes from elsewhere, and in new terms. */
const append: fc.Arbitrary<Message> = fc
  .record({
    term: fc.integer({ min: 1, max: 3 }),
    logTerm: fc.integer({ min: 0, max: 3 }),
    index: fc.nat(6),
    count: fc.nat(3),
    commit: fc.nat(9),
    data: fc.uint8Array({ maxLength: 40 }),
  })
  .map(({ term, logTerm, index, count, commit, data }) =>
    testMessage({
      type: "MsgApp",
      from,
      to,
      term,
      logTerm,
      index,
      commit,
      entries: Array.from({ length: count }, (_, at) => ({ type: "normal", term, index: index + 1 + at, data })),
    }),
  );
const heartbeat = fc.nat(9).map((commit) => testMessage({ type: "MsgHeartbeat", from, to, term: 1, commit }));
const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 });
const orKeepAlive = (message: fc.Arbitrary<Message>) =>
  fc.array(fc.oneof(message, fc.constant("keepAlive" as const)), { maxLength: 20 });

describe("the stream for appends", () => {
  it("gives back what was written, in chunks of any size", () => {
    fc.assert(
      fc.property(orKeepAlive(append), sizes, (messages, pieces) => {
        const { decoder, messages: read } = appendReader();
        pushInPieces(decoder, written(new AppendStreamEncoder(), messages), pieces);
        expect(read).toEqual(messages.filter((message) => message !== "keepAlive"));
      }),
    );
  });

  it("sends a whole message first, and then only entries while they follow each other in one term", () => {
    const entry = (index: number, term = 2) => ({ type: "normal" as const, term, index, data: Buffer.from("x") });
    const app = (fields: Partial<Message>) => testMessage({ type: "MsgApp", from, to, term: 2, ...fields });
    const kinds = [
      app({ logTerm: 1, index: 54, entries: [entry(55)], commit: 54 }),
      app({ logTerm: 2, index: 55, entries: [entry(56)], commit: 55 }),
      app({ logTerm: 2, index: 56, commit: 56 }),
      app({ logTerm: 2, index: 57, commit: 56 }),
      app({ logTerm: 2, index: 57, commit: 57, term: 3 }),
      app({ logTerm: 2, index: 57, commit: 57, term: 3 }),
      app({ logTerm: 3, index: 57, commit: 57, term: 3 }),
    ];
    const encoder = new AppendStreamEncoder();
    const firstBytes = kinds.map((message) => written(encoder, [message])[0]);
    // The last one of the third term claims another term for the same entry, and still continues the position.
    expect(firstBytes).toEqual([2, 1, 1, 2, 2, 2, 1]);
  });

  it("is laid out as etcd's", () => {
    const data = new Uint8Array(25).fill(0xab);
    const encoder = new AppendStreamEncoder();
    const entry = (index: number) => ({ type: "normal" as const, term: 2, index, data });
    const app = (index: number) =>
      testMessage({
        type: "MsgApp",
        from,
        to,
        term: 2,
        logTerm: 2,
        index,
        entries: [entry(index + 1)],
        commit: index + 1,
      });
    const [whole, entries, none] = [
      written(encoder, [app(54)]),
      written(encoder, [app(55)]),
      written(encoder, ["keepAlive"]),
    ];
    expect(hex(whole).slice(0, 22)).toBe("0200000000000000350803");
    expect(hex(entries)).toBe(
      `01 0000000000000001 0000000000000021 0800 1002 1838 2219 ${hex(data)} 0000000000000038`.replaceAll(" ", ""),
    );
    expect(hex(none)).toBe("00");
  });

  it.each([
    ["an unknown kind of frame", "03"],
    ["a message that is no append", "020000000000000002 0808"],
    ["a message that is too large", "02 0000000000002711"],
    [
      "entries that are too large together",
      `01 0000000000000002 0000000000002700 ${"220000".repeat(0x2700 / 3)} 0000000000000010`,
    ],
    ["more entries than fit, of no bytes each", `01 ffffffffffffffff ${"0000000000000000".repeat(2000)}`],
    ["a length above 2^53", "02 0020000000000000"],
    ["an entry that is none", "01 0000000000000001 0000000000000001 ff"],
  ])("refuses %s", (_what, text) => {
    const { decoder } = appendReader();
    expect(() => decoder.push(Buffer.from(text.replaceAll(" ", ""), "hex"))).toThrow(MalformedError);
  });
});

describe("the stream for messages", () => {
  it("gives back what was written, in chunks of any size", () => {
    fc.assert(
      fc.property(orKeepAlive(fc.oneof(heartbeat, append)), sizes, (messages, pieces) => {
        const { decoder, messages: read } = messageReader();
        pushInPieces(decoder, written(messageStreamEncoder, messages), pieces);
        expect(read).toEqual(messages.filter((message) => message !== "keepAlive"));
      }),
    );
  });

  it("is kept alive by a heartbeat from nobody to nobody, also by etcd's", () => {
    expect(hex(written(messageStreamEncoder, ["keepAlive"]))).toBe(
      "0000000000000012 0808 1000 1800 2000 2800 3000 4000 5000 5800".replaceAll(" ", ""),
    );
    const { decoder, messages } = messageReader();
    decoder.push(Buffer.from("000000000000001e08081000180020002800300040004a0a12080a0228001000180050005800", "hex"));
    expect(messages).toEqual([]);
  });

  it.each([
    ["a message that is too large", "0000000000002711"],
    ["a message that is none", "0000000000000001 ff"],
  ])("refuses %s", (_what, text) => {
    const { decoder } = messageReader();
    expect(() => decoder.push(Buffer.from(text.replaceAll(" ", ""), "hex"))).toThrow(MalformedError);
  });
});

it("any bytes on a stream give messages or a refusal", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (bytes, isAppend) => {
      const { decoder } = isAppend ? appendReader() : messageReader();
      try {
        decoder.push(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedError);
      }
    }),
    { numRuns: 2000 },
  );
});
