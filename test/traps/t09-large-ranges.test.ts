import { createClient, prefix } from "@conclave/client";
import { RangeRequest } from "@conclave/protocol/etcdserverpb";
import { startMember, type TestMember } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { naiveCall, naiveChannel } from "./naive/grpc-client.ts";
import { naivePrefix } from "./naive/prefix.ts";

const pairs = 5;
const megabyte = 1 << 20;

describe("T9: a range larger than a message", () => {
  let member: TestMember;

  beforeAll(async () => {
    member = await startMember();
    await using client = createClient({ endpoints: member.endpoint });
    for (let n = 0; n < pairs; n++) await client.put(`big/${n}`, new Uint8Array(megabyte));
  });
  afterAll(() => member?.[Symbol.asyncDispose]());

  test("is read at once, and in pages at one revision", async () => {
    await using client = createClient({ endpoints: member.endpoint });
    expect((await client.range(prefix("big/"))).kvs).toHaveLength(pairs);
    const seen: string[] = [];
    for await (const { keyString, value } of client.scan(prefix("big/"), { pageSize: 2 })) {
      if (seen.push(`${keyString} ${value.length}`) === 1) await client.put("big/9", "later than the first page");
    }
    expect(seen).toEqual(Array.from({ length: pairs }, (_, n) => `big/${n} ${megabyte}`));
  });

  test("is refused by a client with the default limit", async () => {
    const channel = naiveChannel(member.endpoint);
    const request = RangeRequest.encode(RangeRequest.fromPartial(naivePrefix("big/"))).finish();
    const answer = naiveCall(channel, "/etcdserverpb.KV/Range", request);
    await expect(answer).rejects.toThrow(/larger than max/);
    channel.close();
  });
});
