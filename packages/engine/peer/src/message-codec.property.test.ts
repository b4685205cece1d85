import { hex, MalformedError } from "@conclave/base";
import { Message as MessageCodec, MessageType as MessageNumbers } from "@conclave/protocol/raftpb";
import type { Entry, Message, MessageType } from "@conclave/raft";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeMessage, encodeMessage, messageBytesMax } from "./message-codec.ts";
import { testMessage } from "./testing/test-member.ts";

const id = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const counter = fc.oneof(fc.nat(300), fc.maxSafeNat());
const bytes = fc.uint8Array({ maxLength: 300 });
const entry: fc.Arbitrary<Entry> = fc.record({
  type: fc.constantFrom("normal", "confChange", "confChangeV2"),
  term: counter,
  index: counter,
  data: bytes,
});
const confState = fc.record({
  voters: fc.array(id, { maxLength: 3 }),
  learners: fc.array(id, { maxLength: 3 }),
  votersOutgoing: fc.array(id, { maxLength: 3 }),
  learnersNext: fc.array(id, { maxLength: 3 }),
  autoLeave: fc.boolean(),
});
const snapshot = fc.record({ data: bytes, metadata: fc.record({ index: counter, term: counter, confState }) });
const type = fc.constantFrom(
  ...Object.keys(MessageNumbers).filter((name) => !name.startsWith("MsgStorage")),
) as fc.Arbitrary<MessageType>;
const message: fc.Arbitrary<Message> = type.chain((chosen) =>
  fc.record({
    type: fc.constant(chosen),
    to: id,
    from: id,
    term: counter,
    logTerm: counter,
    index: counter,
    entries: fc.array(entry, { maxLength: 4 }),
    commit: counter,
    snapshot: chosen === "MsgSnap" ? snapshot : fc.constant(undefined),
    reject: fc.boolean(),
    rejectHint: counter,
    context: bytes,
  }),
);

/** What the generated codec, which etcd's own definitions went into, makes of a message. */
function generated({ type: name, entries, snapshot: state, ...rest }: Message): Uint8Array {
  const numbers: Readonly<Record<string, number>> = MessageNumbers;
  const entryTypes = ["normal", "confChange", "confChangeV2"];
  return MessageCodec.encode(
    MessageCodec.fromPartial({
      ...rest,
      type: numbers[name] as MessageCodec["type"],
      entries: entries.map(({ type: kind, term, index, data }) => ({
        Type: entryTypes.indexOf(kind) as 0 | 1 | 2,
        Term: term,
        Index: index,
        ...(data.length === 0 ? {} : { Data: data }),
      })),
      context: rest.context.length === 0 ? undefined : rest.context,
      snapshot: state as MessageCodec["snapshot"],
    }),
  ).finish();
}

describe("a message", () => {
  it("is written as the generated codec writes it, and read back", () => {
    fc.assert(
      fc.property(message, (original) => {
        const encoded = encodeMessage(original);
        expect(hex(encoded)).toBe(hex(generated(original)));
        expect(decodeMessage(Uint8Array.from(encoded))).toEqual(original);
      }),
    );
  });

  it("fits into the room that is made for it", () => {
    fc.assert(
      fc.property(message, (original) => {
        fc.pre(original.type !== "MsgSnap");
        expect(encodeMessage(original).length).toBeLessThanOrEqual(messageBytesMax(original));
      }),
    );
  });

  it("is refused, and nothing else happens, when its bytes are damaged", () => {
    fc.assert(
      fc.property(message, fc.nat(), fc.integer({ min: 1, max: 255 }), (original, at, change) => {
        const damaged = Uint8Array.from(encodeMessage(original));
        damaged[at % damaged.length] = (damaged[at % damaged.length] ?? 0) ^ change;
        expectRefusalOrMessage(damaged);
      }),
    );
  });

  it("is refused, and nothing else happens, when its bytes are anything", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), expectRefusalOrMessage), { numRuns: 2000 });
  });

  it("is refused when it ends too early", () => {
    const encoded = encodeMessage(testMessage({ type: "MsgHeartbeat", to: 1n, from: 2n, context: Buffer.from("abc") }));
    // At the end of a field there is no telling; one byte before the end is within the last one.
    expect(() => decodeMessage(encoded.subarray(0, -1))).toThrow(MalformedError);
  });

  it.each([
    ["an unknown type", "0863"],
    ["a type of threads inside a process", "0813"],
    ["a term above 2^53", "20ffffffffffffff7f"],
    ["an id of 65 bits", "10ffffffffffffffffff02"],
    ["a varint without an end", "20ffffffffffffffffffffff"],
    ["entries that run past the end", "3a05"],
    ["a known field of another wire type", "0a00"],
    ["a group", "0b"],
    ["the tag 0", "00"],
    ["a malformed snapshot", "08074a020aff"],
    ["an entry of unknown type", "3a020805"],
  ])("is refused with %s", (_what, text) => {
    expect(() => decodeMessage(Buffer.from(text, "hex"))).toThrow(MalformedError);
  });

  it("is read with fields of later versions, which are passed over", () => {
    const later = Buffer.concat([
      encodeMessage(testMessage({ type: "MsgVote", to: 1n, from: 2n })),
      Buffer.from("680572020804", "hex"),
    ]);
    expect(decodeMessage(later).type).toBe("MsgVote");
  });

  it("is read with the empty snapshot that etcd 3.5 puts into every message", () => {
    const heartbeat = "0808100018002000280030004000" + "4a0a12080a02280010001800" + "50005800";
    expect(decodeMessage(Buffer.from(heartbeat, "hex"))).toEqual(
      testMessage({ type: "MsgHeartbeat", to: 0n, from: 0n }),
    );
  });
});

function expectRefusalOrMessage(bytes: Uint8Array): void {
  try {
    const { term, entries } = decodeMessage(bytes);
    expect(Number.isSafeInteger(term) && entries.every(({ index }) => Number.isSafeInteger(index))).toBe(true);
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedError);
  }
}
