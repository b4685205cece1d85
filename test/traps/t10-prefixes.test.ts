import { bytesCodec, createClient, directory, prefix, stringCodec } from "@conclave/client";
import { startMember, type TestMember } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { naivePrefix } from "./naive/prefix.ts";

const odd = Uint8Array.of(0x61, 0xff);
const keys = ["svc/foo", "svc/foo/a", "svc/foobar/b", Uint8Array.of(0x61, 0xff, 0x01), "b"];

describe("T10: what a prefix holds", () => {
  let member: TestMember;

  beforeAll(async () => {
    member = await startMember();
    await using client = createClient({ endpoints: member.endpoint });
    for (const key of keys) await client.put(key, "1");
  });
  afterAll(() => member?.[Symbol.asyncDispose]());

  test("a directory and a typed keyspace end at their separator, and a carry goes over 0xff", async () => {
    await using client = createClient({ endpoints: member.endpoint });
    const under = async (range: Parameters<typeof client.range>[0]) =>
      (await client.range(range)).kvs.map(({ key }) => Buffer.from(key).toString("latin1"));
    expect(await under(directory("svc/foo"))).toEqual(["svc/foo/a"]);
    expect(await under(prefix(odd))).toEqual(["a\u00ff\u0001"]);
    const names: string[] = [];
    for await (const { key } of client.keyspace("svc/foo/", { key: stringCodec, value: bytesCodec }).scan())
      names.push(key);
    expect(names).toEqual(["a"]);
    expect(() => client.keyspace("svc/foo", { value: bytesCodec })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });

  test("the last byte plus one holds the neighbour's keys, and after 0xff nothing or everything", async () => {
    await using client = createClient({ endpoints: member.endpoint });
    const under = async (name: string | Uint8Array) => (await client.range(naivePrefix(name))).kvs.length;
    expect(await under("svc/foo")).toBe(3);
    expect(await under(odd)).not.toBe(1);
  });
});
