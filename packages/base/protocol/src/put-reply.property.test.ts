import fc from "fast-check";
import { expect, test } from "vitest";
import { PutResponse } from "./gen/etcdserverpb/rpc.ts";
import { encodePutReply } from "./put-reply.ts";

const id = fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const counter = fc.oneof(fc.constant(0), fc.maxSafeNat());
const header = fc.record({ clusterId: id, memberId: id, revision: counter, raftTerm: counter });

function encoded(response: PutResponse): Uint8Array | undefined {
  return encodePutReply(response, 5, (bytes) => new Uint8Array(bytes))?.subarray(5);
}

test("encodePutReply() writes what the codec writes", () => {
  fc.assert(
    fc.property(fc.array(header, { maxLength: 4 }), (headers) => {
      for (const each of headers) {
        const response = { header: each, prevKv: undefined };
        expect(encoded(response)).toEqual(PutResponse.encode(response).finish());
      }
    }),
  );
});

test("encodePutReply() leaves an answer to the codec that says more, or nothing", () => {
  const previous = PutResponse.fromPartial({ header: { revision: 2 }, prevKv: { version: 1 } });
  expect(encoded(previous)).toBeUndefined();
  expect(encoded({ header: undefined, prevKv: undefined })).toBeUndefined();
});
