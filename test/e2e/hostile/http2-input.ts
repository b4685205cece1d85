/** @module Generates what a hostile client may send as HTTP/2: frames by hand, right and wrong, in any order. */
import { utf8 } from "@conclave/base";
import fc, { type Arbitrary } from "fast-check";
import { damaged, joined } from "./input.ts";

const preface = utf8("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** Frame types of RFC 9113 §6, and some that are none. */
const frameTypes = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, push: 5, ping: 6, goAway: 7, window: 8 };
const endStream = 0x1;
const endHeaders = 0x4;

const paths: readonly string[] = [
  "/etcdserverpb.KV/Range",
  "/etcdserverpb.KV/Put",
  "/etcdserverpb.KV/DeleteRange",
  "/etcdserverpb.KV/Txn",
  "/etcdserverpb.KV/Compact",
  "/etcdserverpb.Watch/Watch",
  "/etcdserverpb.Lease/LeaseGrant",
  "/etcdserverpb.Lease/LeaseKeepAlive",
  "/etcdserverpb.Lease/LeaseLeases",
  "/etcdserverpb.Cluster/MemberList",
  "/etcdserverpb.Maintenance/Status",
  "/etcdserverpb.Maintenance/HashKV",
  "/etcdserverpb.Auth/Authenticate",
  "/v3lockpb.Lock/Unlock",
  "/v3electionpb.Election/Leader",
  "/nobody.Knows/This",
  "/",
  "",
];

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Uint8Array {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return joined([head, payload]);
}

/** A header field as a literal without indexing (RFC 7541 §6.2.2); names and values are shorter than 127 bytes. */
function literal(name: string, value: string): Uint8Array {
  return joined([[0, name.length], utf8(name), [value.length], utf8(value)]);
}

function callHeaders(path: string): Uint8Array {
  return joined([
    literal(":method", "POST"),
    literal(":scheme", "http"),
    literal(":path", path),
    literal(":authority", "localhost"),
    literal("content-type", "application/grpc"),
    literal("te", "trailers"),
  ]);
}

/** A message of gRPC: its length may be a lie. */
const grpcMessage: Arbitrary<Uint8Array> = fc
  .tuple(
    fc.constantFrom(0, 0, 0, 0, 1, 255),
    fc.uint8Array({ maxLength: 60 }),
    fc.option(fc.nat(0xffff_ffff), { freq: 5 }),
  )
  .map(([flag, body, length]) => {
    const head = Buffer.alloc(5);
    head.writeUInt8(flag, 0);
    head.writeUInt32BE(length ?? body.length, 1);
    return joined([head, body]);
  });

/** Protobuf that is well formed at its first level: a hundred field numbers, any wire type that fits. */
const protobuf: Arbitrary<Uint8Array> = fc
  .array(
    fc.oneof(
      fc
        .tuple(fc.integer({ min: 1, max: 15 }), fc.uint8Array({ maxLength: 12 }))
        .map(([field, bytes]) => joined([[(field << 3) | 2, bytes.length], bytes])),
      fc.tuple(fc.integer({ min: 1, max: 15 }), fc.nat(127)).map(([field, value]) => Uint8Array.of(field << 3, value)),
      fc.integer({ min: 1, max: 15 }).map((field) => joined([[field << 3], Array<number>(9).fill(0xff), [1]])),
    ),
    { maxLength: 6 },
  )
  .map(joined);

const wellFramed: Arbitrary<Uint8Array> = protobuf.map((body) => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return joined([head, body]);
});

/** A connection on which so many calls are begun and each is taken back at once. */
export function callsTakenBack(count: number): Uint8Array {
  const streams = Array.from({ length: count }, (_, at) => 2 * at + 1);
  return joined([
    preface,
    frame(frameTypes.settings, 0, 0, new Uint8Array(0)),
    ...streams.flatMap((id) => [
      frame(frameTypes.headers, endHeaders, id, callHeaders("/etcdserverpb.Watch/Watch")),
      frame(frameTypes.reset, 0, id, Uint8Array.of(0, 0, 0, 8)),
    ]),
  ]);
}

const stream = fc.constantFrom(1, 1, 1, 3, 5, 7, 2, 0, 0x7fff_ffff, 0x8000_0001);
const path = fc.constantFrom(...paths);

const call: Arbitrary<Uint8Array> = fc
  .tuple(stream, path, fc.oneof(wellFramed, grpcMessage), fc.boolean())
  .map(([id, to, body, ends]) =>
    joined([
      frame(frameTypes.headers, endHeaders, id, callHeaders(to)),
      frame(frameTypes.data, ends ? endStream : 0, id, body),
    ]),
  );

const oddFrame: Arbitrary<Uint8Array> = fc
  .tuple(fc.integer({ min: 0, max: 12 }), fc.nat(255), stream, fc.uint8Array({ maxLength: 40 }))
  .map(([type, flags, id, payload]) => frame(type, flags, id, payload));

const setting: Arbitrary<Uint8Array> = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.nat(0xffff_ffff)), { maxLength: 4 })
  .map((settings) => {
    const payload = Buffer.alloc(settings.length * 6);
    for (const [at, [id, value]] of settings.entries()) {
      payload.writeUInt16BE(id, at * 6);
      payload.writeUInt32BE(value, at * 6 + 2);
    }
    return frame(frameTypes.settings, 0, 0, payload);
  });

const reset = stream.map((id) => frame(frameTypes.reset, 0, id, Uint8Array.of(0, 0, 0, 8)));
const window = fc.tuple(stream, fc.nat(0x7fff_ffff)).map(([id, more]) => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(more);
  return frame(frameTypes.window, 0, id, payload);
});
const ping = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => frame(frameTypes.ping, 0, 0, bytes));

/** What comes over one connection. It begins well: without the preface it would not be taken for HTTP/2. */
export const http2Input: Arbitrary<Uint8Array> = damaged(
  fc
    .tuple(
      fc.option(setting, { nil: frame(frameTypes.settings, 0, 0, new Uint8Array(0)), freq: 3 }),
      fc.array(fc.oneof({ weight: 5, arbitrary: call }, oddFrame, reset, window, ping, setting), { maxLength: 8 }),
    )
    .map(([settings, frames]) => joined([settings, ...frames])),
).map((bytes) => joined([preface, bytes]));
