import { concatBytes, hex, utf8 } from "@conclave/base";
import { encodedPartsOf } from "@conclave/protocol";
import { RangeResponse } from "@conclave/protocol/etcdserverpb";
import { expect, test } from "vitest";
import { gatheredRange } from "./gathered-range.ts";

const plain = RangeResponse.fromPartial({
  header: { clusterId: 1n, memberId: 2n, revision: 7, raftTerm: 3 },
  kvs: ["a", "b", "c"].map((key) => ({ key: utf8(key), value: utf8(`value of ${key}`), modRevision: 5, version: 1 })),
  more: true,
  count: 9,
});
const slices = [plain.kvs.slice(0, 2), plain.kvs.slice(2)].map((kvs) =>
  RangeResponse.encode(RangeResponse.fromPartial({ kvs })).finish(),
);
const { kvs: _kvs, ...rest } = plain;

test("its parts are what the generated codec makes of the whole", () => {
  const parts = encodedPartsOf(gatheredRange({ rest, slices })) ?? [];
  expect(hex(concatBytes(parts))).toBe(hex(RangeResponse.encode(plain).finish()));
});

test("whoever reads it finds all fields, and a copy that is changed has no bytes of before", () => {
  const response = gatheredRange({ rest, slices });
  expect(hex(RangeResponse.encode(response).finish())).toBe(hex(RangeResponse.encode(plain).finish()));
  const copy = { ...response, more: false };
  expect(encodedPartsOf(copy)).toBeUndefined();
  expect(copy.kvs).toHaveLength(3);
});
