import { describe, expect, it } from "vitest";
import { PutRequest, RangeRequest, RangeResponse, WatchRequest } from "./gen/etcdserverpb/rpc.ts";
import { encodeFromJson, JsonError, jsonOf } from "./json-mapping.ts";

const put = (text: string): PutRequest => PutRequest.decode(encodeFromJson("etcdserverpb.PutRequest", text));
const range = (text: string): RangeRequest => RangeRequest.decode(encodeFromJson("etcdserverpb.RangeRequest", text));

describe("encodeFromJson()", () => {
  it("takes bytes in both alphabets of base64, with padding and without", () => {
    for (const key of ["_-8=", "/+8=", "_-8", "/+8"]) {
      expect(put(`{"key":"${key}"}`).key).toEqual(new Uint8Array([0xff, 0xef]));
    }
  });

  it("takes 64-bit numbers as texts and as numbers, to the last digit", () => {
    for (const lease of ['"9223372036854775807"', "9223372036854775807"]) {
      expect(put(`{"lease":${lease}}`).lease).toBe(9_223_372_036_854_775_807n);
    }
    expect(range('{"limit":1.0}').limit).toBe(1n);
    expect(range('{"limit":-3}').limit).toBe(-3n);
  });

  it("takes enums by name and by number, and names of fields as in the IDL and in camel case", () => {
    expect(range('{"sort_order":"DESCEND"}').sortOrder).toBe(2);
    expect(range('{"sortOrder":2}').sortOrder).toBe(2);
  });

  it("passes over unknown fields, unknown names of enums, and null", () => {
    expect(range('{"nonsense":{"a":[1]},"sort_order":"SIDEWAYS","limit":null,"key":"YQ=="}')).toMatchObject({
      sortOrder: 0,
      limit: 0n,
      key: new Uint8Array([0x61]),
    });
  });

  it("reads the one that is set of a oneof", () => {
    const bytes = encodeFromJson("etcdserverpb.WatchRequest", '{"create_request":{"key":"YQ=="}}');
    expect(WatchRequest.decode(bytes).requestUnion?.$case).toBe("createRequest");
  });

  it.each([
    ["is no JSON", "{"],
    ["is no object", "[]"],
    ["is null", "null"],
    ["has a number for bytes", '{"key":5}'],
    ["has a long number for bytes", '{"key":12345678901234567890}'],
    ["has what is no base64", '{"key":"*"}'],
    ["has a text for a boolean", '{"prev_kv":"true"}'],
    ["has a number that is too large", '{"lease":9223372036854775808}'],
    ["has a fraction for a whole number", '{"lease":1.5}'],
    ["has an empty text for a number", '{"lease":""}'],
    ["sets a field twice", '{"prev_kv":true,"prevKv":true}'],
    ["is nested without end", "[".repeat(200_000)],
  ])("refuses what %s", (_what, text) => {
    expect(() => put(text)).toThrow(JsonError);
  });

  it.each([
    ['{"key":"*SECRET"}', "cannot decode field etcdserverpb.PutRequest.key from JSON: invalid base64 string"],
    ['{"prev_kv":"SECRET"}', "cannot decode field etcdserverpb.PutRequest.prev_kv from JSON: expected boolean"],
    ['{"lease":"SECRET"}', "cannot decode field etcdserverpb.PutRequest.lease from JSON: expected bigint (int64)"],
    ['"SECRET"', "cannot decode message etcdserverpb.PutRequest from JSON"],
    ['{"SECRET":1,"SECRET":2}', "malformed JSON at position 13"],
    ['{"key":SECRET}', "malformed JSON at position 7"],
  ])("says what is wrong with %s, but not what stands there", (text, reason) => {
    expect(() => put(text)).toThrow(expect.objectContaining({ name: "JsonError", message: reason }));
  });

  it("refuses two of a oneof", () => {
    const text = '{"version":1,"mod_revision":2}';
    expect(() => encodeFromJson("etcdserverpb.Compare", text)).toThrow(JsonError);
  });
});

describe("jsonOf()", () => {
  it("names fields as the IDL does, and leaves out what has its default", () => {
    const response = RangeResponse.fromPartial({
      header: { clusterId: 18_446_744_073_709_551_615n, revision: 7, raftTerm: 2 },
      kvs: [{ key: new Uint8Array([0xff, 0xef]), createRevision: 3, modRevision: 4, version: 1 }],
      count: 1,
    });
    expect(jsonOf("etcdserverpb.RangeResponse", RangeResponse.encode(response).finish())).toBe(
      '{"header":{"cluster_id":"18446744073709551615","revision":"7","raft_term":"2"},' +
        '"kvs":[{"key":"/+8=","create_revision":"3","mod_revision":"4","version":"1"}],"count":"1"}',
    );
  });

  it("refuses a message that is not of the API", () => {
    expect(() => jsonOf("etcdserverpb.InternalRaftRequest", new Uint8Array())).toThrow(TypeError);
  });
});
