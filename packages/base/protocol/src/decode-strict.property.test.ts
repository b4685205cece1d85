import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DecodeError, decodeStrict } from "./decode-strict.ts";
import {
  AuthenticateRequest,
  type DeepPartial,
  PutRequest,
  RangeRequest,
  ResponseHeader,
  TxnRequest,
  WatchRequest,
} from "./gen/etcdserverpb/rpc.ts";
import { ConfState, Message } from "./gen/raftpb/raft.ts";
import { type Codec, services } from "./services.ts";

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));

function codeOf(codec: Codec<unknown>, bytes: Uint8Array): string {
  try {
    decodeStrict(codec, bytes);
    return "fine";
  } catch (error) {
    if (error instanceof DecodeError) return error.code;
    throw error;
  }
}

describe("decodeStrict()", () => {
  it.each([
    ["nothing at all", RangeRequest, "", "fine"],
    ["a key", RangeRequest, "0a0161", "fine"],
    ["an unknown field of each wire type", RangeRequest, "f80701 f9070000000000000000 fa070161 fd0700000000", "fine"],
    ["the largest number", RangeRequest, "18ffffffffffffffff7f", "fine"],
    ["a negative number", RangeRequest, "18ffffffffffffffffff01", "fine"],
    ["packed numbers", ConfState, "0a020102", "fine"],
    ["unpacked numbers", ConfState, "08010802", "fine"],
    ["a key cut off", RangeRequest, "0a0261", "TRUNCATED"],
    ["a length cut off", RangeRequest, "0a", "TRUNCATED"],
    ["a number cut off", RangeRequest, "18ff", "TRUNCATED"],
    ["a length of 4 GiB", RangeRequest, "0affffffff0f", "TRUNCATED"],
    ["a length of more than 32 bits", RangeRequest, "0affffffffff01", "TRUNCATED"],
    ["an unknown 8-byte field cut off", RangeRequest, "f90700", "TRUNCATED"],
    ["an unknown 4-byte field cut off", RangeRequest, "fd0700", "TRUNCATED"],
    ["a nested message longer than the outer one", TxnRequest, "0a031a02181200", "TRUNCATED"],
    ["a nested length beyond the outer message but within the bytes", TxnRequest, "12040a050a01611200", "TRUNCATED"],
    ["packed numbers cut off", ConfState, "0a0180", "TRUNCATED"],
    ["a tag of zero", RangeRequest, "00", "ILLEGAL_TAG"],
    ["a tag of zero after a field", RangeRequest, "0a0161000a0162", "ILLEGAL_TAG"],
    ["a tag of zero inside a nested message", TxnRequest, "0a0200001200", "ILLEGAL_TAG"],
    ["field number zero with a wire type", RangeRequest, "0200", "ILLEGAL_TAG"],
    ["a tag of more than 32 bits", RangeRequest, "ffffffffff0100", "ILLEGAL_TAG"],
    ["the start of a group", RangeRequest, "fb07fc07", "ILLEGAL_TAG"],
    ["the end of a group", RangeRequest, "fc07", "ILLEGAL_TAG"],
    ["wire type 6", RangeRequest, "fe07", "ILLEGAL_TAG"],
    ["wire type 7", RangeRequest, "ff07", "ILLEGAL_TAG"],
    ["a key as a number", RangeRequest, "0801", "WRONG_WIRE_TYPE"],
    ["a limit as bytes", RangeRequest, "1a0101", "WRONG_WIRE_TYPE"],
    ["a limit as eight bytes", RangeRequest, "190000000000000000", "WRONG_WIRE_TYPE"],
    ["a key as the end of a group", RangeRequest, "0c", "WRONG_WIRE_TYPE"],
    ["a number of eleven bytes", RangeRequest, "18ffffffffffffffffffff01", "OVERFLOW"],
    ["a number of 65 bits", RangeRequest, "18ffffffffffffffffff02", "OVERFLOW"],
    ["a revision beyond 2^53", ResponseHeader, "18ffffffffffffffff7f", "OVERFLOW"],
    ["a name that is UTF-8", AuthenticateRequest, "0a03e282ac", "fine"],
    ["a name that is not UTF-8", AuthenticateRequest, "0a0261ff", "INVALID_UTF8"],
    ["a name that ends within a character", AuthenticateRequest, "0a02e282", "INVALID_UTF8"],
  ] as const)("of %s", (_name, codec, hex, expected) => {
    expect(codeOf(codec, bytesOf(hex))).toBe(expected);
  });

  it("says which message is wrong, why and where", () => {
    expect(() => decodeStrict(TxnRequest, bytesOf("0a020801 12020800"))).toThrow(
      "Cannot decode etcdserverpb.RequestOp as a field has the wire type 0, which is not its own, at byte 7",
    );
  });

  it("refuses nesting before the stack is reached", () => {
    let txn: Uint8Array = TxnRequest.encode(TxnRequest.fromPartial({})).finish();
    const wrap = (tag: number, inner: Uint8Array): Uint8Array => {
      const length: number[] = [];
      for (let left = inner.length; ; left >>>= 7) {
        length.push(left > 0x7f ? (left & 0x7f) | 0x80 : left);
        if (left <= 0x7f) break;
      }
      return new Uint8Array([tag, ...length, ...inner]);
    };
    for (let depth = 0; depth < 49; depth++) txn = wrap(0x12, wrap(0x22, txn));
    expect(codeOf(TxnRequest, txn)).toBe("fine");
    expect(codeOf(TxnRequest, wrap(0x12, wrap(0x22, txn)))).toBe("TOO_DEEP");
  });

  it("refuses a codec that the IDL does not know", () => {
    const stranger: Codec<unknown> = { ...RangeRequest, $type: "x.Y" } as Codec<unknown>;
    expect(() => decodeStrict(stranger, new Uint8Array())).toThrow(TypeError);
  });
});

const codecs: readonly Codec<unknown>[] = [
  ...services.flatMap(({ methods }) => Object.values(methods).map(({ requestType }) => requestType)),
  Message as Codec<unknown>,
];
const anyCodec = fc.constantFrom(...codecs);

/** Bytes that look like fields more often than chance has it. */
const anyBytes = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 12 }),
      fc
        .tuple(fc.integer({ min: 0, max: 20 }), fc.uint8Array({ maxLength: 8 }))
        .map(([number, content]) => new Uint8Array([(number << 3) | 2, content.length, ...content])),
      fc
        .tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 127 }))
        .map(([number, value]) => new Uint8Array([number << 3, value])),
    ),
    { maxLength: 12 },
  )
  .map((parts) => new Uint8Array(Buffer.concat(parts)));

const txnOf = (txn: DeepPartial<TxnRequest>): TxnRequest => TxnRequest.fromPartial(txn);

/** Any message as a protobuf library would send it: requests with everything set somewhere. */
const anyTxn = fc
  .record({
    key: fc.uint8Array({ maxLength: 300 }),
    value: fc.uint8Array({ maxLength: 300 }),
    scalar: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    flag: fc.boolean(),
  })
  .map(({ key, value, scalar, flag }) =>
    txnOf({
      compare: [
        { target: 2, key, targetUnion: { $case: "modRevision", value: scalar } },
        { target: 3, key, targetUnion: { $case: "value", value } },
      ],
      success: [
        { request: { $case: "requestPut", value: { key, value, lease: scalar, prevKv: flag } } },
        {
          request: {
            $case: "requestTxn",
            value: { failure: [{ request: { $case: "requestRange", value: { key } } }] },
          },
        },
      ],
    }),
  );

describe("decodeStrict(), for any bytes", () => {
  it("gives a message or a DecodeError, and what it gives is read to the end", () => {
    fc.assert(
      fc.property(anyCodec, anyBytes, (codec, bytes) => {
        let message: unknown;
        try {
          message = decodeStrict(codec, bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
          return;
        }
        // A field after the accepted bytes is still seen: no loop of the codec has stopped before their end.
        const marked = Buffer.concat([bytes, bytesOf("18ffffffff0f")]);
        expect(codec.decode(bytes)).toEqual(message);
        if (codec.$type === RangeRequest.$type) {
          expect((codec.decode(marked) as RangeRequest).limit).toBe(0xffffffffn);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("takes what the encoder writes, and no beginning of it that ends within a field", () => {
    fc.assert(
      fc.property(anyTxn, (txn) => {
        const bytes = TxnRequest.encode(txn).finish();
        expect(decodeStrict(TxnRequest, bytes)).toEqual(txn);
        const lengths = Array.from({ length: bytes.length }, (_, length) => length);
        const accepted = lengths.filter((length) => codeOf(TxnRequest, bytes.subarray(0, length)) === "fine");
        expect(accepted).toHaveLength(txn.compare.length + txn.success.length);
      }),
      { numRuns: 100 },
    );
  });

  it("takes a stream's requests with an empty message inside", () => {
    const progress = WatchRequest.fromPartial({ requestUnion: { $case: "progressRequest", value: {} } });
    expect(decodeStrict(WatchRequest, WatchRequest.encode(progress).finish())).toEqual(progress);
    const put = PutRequest.fromPartial({ key: new Uint8Array([0, 255]) });
    expect(decodeStrict(PutRequest, PutRequest.encode(put).finish())).toEqual(put);
  });
});
