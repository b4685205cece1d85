import { crc32c, hex } from "@conclave/base";
import {
  ConfState as ConfStateMessage,
  Entry as EntryMessage,
  HardState as HardStateMessage,
} from "@conclave/protocol/raftpb";
import { Record as RecordMessage, Snapshot as SnapshotMessage } from "@conclave/protocol/walpb";
import type { Entry, HardState } from "@conclave/raft";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readFrameHeader } from "./frame.ts";
import { decodeRecord, parseRecord } from "./record-decoder.ts";
import { RecordEncoder } from "./record-encoder.ts";
import type { WalRecord } from "./records.ts";

/** Numbers of every length they can have as varints. */
const counter = (min: number) =>
  fc
    .oneof(fc.integer({ min, max: 300 }), fc.integer({ min, max: 2 ** 32 }), fc.maxSafeInteger().map(Math.abs))
    .filter((value) => value >= min);
const id = fc.oneof(fc.bigInt(0n, 300n), fc.bigInt(0n, 2n ** 64n - 1n));
const bytes = fc.uint8Array({ maxLength: 300 });

const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ type: fc.constant("normal" as const), term: counter(1), index: counter(1), data: bytes }),
  fc.record({
    type: fc.constantFrom("confChange" as const, "confChangeV2" as const),
    term: counter(1),
    index: counter(1),
    data: fc.uint8Array({ minLength: 1, maxLength: 300 }),
  }),
);
const hardState: fc.Arbitrary<HardState> = fc.record({ term: counter(1), vote: id, commit: counter(0) });
const ids = fc.array(id, { maxLength: 4 });
const confState = fc.record({
  voters: ids,
  learners: ids,
  votersOutgoing: ids,
  learnersNext: ids,
  autoLeave: fc.boolean(),
});

const entryTypes = { normal: 0, confChange: 1, confChangeV2: 2 } as const;

/** The frame of a record by the generated codecs, which know nothing of the encoder under test. */
function expectedFrame(type: number, data: Uint8Array | undefined, crcBefore: number): Uint8Array {
  const crc = data === undefined ? crcBefore : crc32c(data, crcBefore);
  const record = RecordMessage.encode({ type, crc, data }).finish();
  const pad = (8 - (record.length % 8)) % 8;
  const header = new DataView(new ArrayBuffer(8));
  header.setUint32(0, record.length, true);
  header.setUint8(7, pad === 0 ? 0 : 0x80 + pad);
  return Uint8Array.from([...new Uint8Array(header.buffer), ...record, ...new Uint8Array(pad)]);
}

function frameOf(encoder: RecordEncoder): Uint8Array {
  return encoder.buffer.view(0, encoder.buffer.length).slice();
}

function decoded(frame: Uint8Array): WalRecord {
  const { recordBytes, wellFormed, frameBytes } = readFrameHeader(frame, 0);
  expect(wellFormed).toBe(true);
  expect(frameBytes).toBe(frame.length);
  const raw = parseRecord(frame, 8, 8 + recordBytes) ?? expect.unreachable();
  expect(raw.end).toBe(8 + recordBytes);
  return decodeRecord(raw);
}

const crc = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff_ffff }), fc.integer({ min: 0, max: 0xffff }));

describe("every record has the bytes of the generated codecs and is read back:", () => {
  it("entries", () => {
    fc.assert(
      fc.property(entry, crc, (entry, crc) => {
        const encoder = new RecordEncoder(crc);
        encoder.entry(entry);
        const { type, term, index, data } = entry;
        const message = { Type: entryTypes[type], Term: term, Index: index, Data: data.length > 0 ? data : undefined };
        const expected = expectedFrame(2, EntryMessage.encode(message).finish(), crc);
        expect(hex(frameOf(encoder))).toBe(hex(expected));
        expect(decoded(expected)).toEqual({ kind: "entry", entry });
      }),
    );
  });

  it("hard states", () => {
    fc.assert(
      fc.property(hardState, crc, (hardState, crc) => {
        const encoder = new RecordEncoder(crc);
        encoder.state(hardState);
        const expected = expectedFrame(3, HardStateMessage.encode(hardState).finish(), crc);
        expect(hex(frameOf(encoder))).toBe(hex(expected));
        expect(decoded(expected)).toEqual({ kind: "state", hardState });
      }),
    );
  });

  it("snapshots", () => {
    fc.assert(
      fc.property(
        counter(1),
        counter(1),
        fc.option(confState, { nil: undefined }),
        crc,
        (index, term, confState, crc) => {
          const snapshot = { index, term, confState };
          const encoder = new RecordEncoder(crc);
          encoder.snapshot(snapshot);
          const message = confState === undefined ? undefined : ConfStateMessage.fromPartial(confState);
          const expected = expectedFrame(5, SnapshotMessage.encode({ index, term, confState: message }).finish(), crc);
          expect(hex(frameOf(encoder))).toBe(hex(expected));
          expect(decoded(expected)).toEqual({ kind: "snapshot", snapshot });
        },
      ),
    );
  });

  it("metadata and checksums", () => {
    fc.assert(
      fc.property(bytes, crc, (metadata, crc) => {
        const encoder = new RecordEncoder(crc);
        encoder.metadata(metadata);
        const expected = expectedFrame(1, metadata, crc);
        expect(hex(frameOf(encoder))).toBe(hex(expected));
        expect(decoded(expected)).toEqual({ kind: "metadata", metadata });
        encoder.buffer.clear();
        encoder.crc();
        const running = crc32c(metadata, crc);
        expect(hex(frameOf(encoder))).toBe(hex(expectedFrame(4, undefined, running)));
        expect(decoded(frameOf(encoder))).toEqual({ kind: "crc", crc: running });
      }),
    );
  });
});

describe("the decoder", () => {
  it("takes any bytes without failing in another way than it says", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        const raw = parseRecord(noise, 0, noise.length);
        if (raw === undefined) return;
        try {
          decodeRecord(raw);
        } catch (error) {
          expect(error).toMatchObject({ name: "MalformedError" });
        }
      }),
      { numRuns: 2_000 },
    );
  });

  const malformed: readonly (readonly [string, number, string])[] = [
    ["an entry of unknown type", 2, "0803 1001 1801"],
    ["an entry without a term", 2, "0800 1000 1801"],
    ["an entry without an index", 2, "0800 1001 1800"],
    ["an entry with an unknown field", 2, "0800 1001 1801 2801"],
    ["an entry whose data is cut short", 2, "0800 1001 1801 2205 01"],
    ["an entry with an index above 2^53", 2, "0800 1001 18ffffffffffffffffff01"],
    ["an entry with an endless varint", 2, "0800 1001 18ffffffffffffffffffffffff01"],
    ["a change of the membership without data", 2, "0801 1001 1801"],
    ["a hard state without a term", 3, "0800 1001 1801"],
    ["a hard state with an unknown field", 3, "0801 1001 1801 2001"],
    ["a hard state with a vote above 64 bits", 3, "0801 10ffffffffffffffffff7f 1801"],
    ["a snapshot with an index and no term", 5, "0801 1000"],
    ["a snapshot with a term and no index", 5, "0800 1001"],
    ["a snapshot with an unknown field", 5, "0801 1001 2001"],
    ["a snapshot with a malformed membership", 5, "0801 1001 1a02 08ff"],
  ];
  it.each(malformed)("refuses %s", (_, type, text) => {
    const data = Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
    expect(() => decodeRecord({ type, crc: 0, data, end: 0 })).toThrow(
      expect.objectContaining({ name: "MalformedError" }),
    );
  });

  it("copies no data of an entry, of which there may be gigabytes", () => {
    const encoder = new RecordEncoder();
    encoder.entry({ type: "normal", term: 1, index: 1, data: Uint8Array.of(1, 2, 3) });
    const frame = frameOf(encoder);
    const record = decoded(frame);
    expect(record).toMatchObject({ entry: { data: Uint8Array.of(1, 2, 3) } });
    expect(record.kind === "entry" && record.entry.data.buffer).toBe(frame.buffer);
  });

  it("shares no other memory with what it reads", () => {
    const encoder = new RecordEncoder();
    encoder.metadata(Uint8Array.of(1, 2, 3));
    const frame = frameOf(encoder);
    const record = decoded(frame);
    frame.fill(0xff);
    expect(record).toMatchObject({ metadata: Uint8Array.of(1, 2, 3) });
  });
});

describe("the encoder", () => {
  it("refuses what the decoder would not read", () => {
    const encoder = new RecordEncoder();
    const data = Uint8Array.of(1);
    expect(() => encoder.entry({ type: "normal", term: 0, index: 1, data })).toThrow("a term and an index");
    expect(() => encoder.entry({ type: "normal", term: 1, index: 0, data })).toThrow("a term and an index");
    expect(() => encoder.entry({ type: "confChange", term: 1, index: 1, data: new Uint8Array(0) })).toThrow("has data");
    expect(() => encoder.state({ term: 0, vote: 1n, commit: 0 })).toThrow("has a term");
    const huge = new Uint8Array(128 * 1024 * 1024);
    expect(() => encoder.entry({ type: "normal", term: 1, index: 1, data: huge })).toThrow("fits into a record");
  });
});
