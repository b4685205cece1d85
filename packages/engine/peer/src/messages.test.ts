import type { Entry, Message } from "@conclave/raft";
import { describe, expect, it } from "vitest";
import { connect, introduce, testMember, testMessage } from "./testing/test-member.ts";

function entry(index: number, text = `entry ${index}`): Entry {
  return { type: "normal", term: 1, index, data: Buffer.from(text) };
}

function append(fields: Partial<Message>): Message {
  return testMessage({ type: "MsgApp", from: 1n, to: 2n, term: 1, ...fields });
}

/** Data as plain bytes, so that what was received equals what was sent. */
function plain(messages: readonly Message[]): readonly Message[] {
  return messages.map((message) => ({
    ...message,
    context: Uint8Array.from(message.context),
    entries: message.entries.map((item) => ({ ...item, data: Uint8Array.from(item.data) })),
  }));
}

describe("messages between members", () => {
  it("arrive without streams, by one POST each", async () => {
    await using one = await testMember({ id: 1n });
    await using two = await testMember({ id: 2n });
    introduce(one, two);
    const vote = testMessage({ type: "MsgVote", from: 1n, to: 2n, term: 1, context: Buffer.from("CampaignTransfer") });
    one.transport.send([vote]);
    await two.until(() => two.messages.length === 1);
    expect(plain(two.messages)).toEqual(plain([vote]));
  });

  it("arrive over streams in order, appends and others each on their own", async () => {
    await using one = await testMember({ id: 1n });
    await using two = await testMember({ id: 2n });
    await connect(one, two);
    const appends = [
      append({ entries: [entry(1), entry(2)], commit: 1 }),
      append({ logTerm: 1, index: 2, entries: [entry(3)], commit: 2 }),
      append({ logTerm: 1, index: 3, commit: 3 }),
      append({ term: 4, logTerm: 1, index: 3, entries: [entry(4)], commit: 3 }),
    ];
    const others = [1, 2, 3].map((commit) => testMessage({ type: "MsgHeartbeat", from: 1n, to: 2n, term: 1, commit }));
    for (const [at, message] of appends.entries()) one.transport.send([message, ...others.slice(at, at + 1)]);
    await two.until(() => two.messages.length === appends.length + others.length);
    const received = plain(two.messages);
    expect(received.filter(({ type }) => type === "MsgApp")).toEqual(plain(appends));
    expect(received.filter(({ type }) => type !== "MsgApp")).toEqual(plain(others));
  });

  it("are counted, and so are round trips", async () => {
    await using one = await testMember({ id: 1n, limits: { probeMs: 1 } });
    await using two = await testMember({ id: 2n });
    await connect(one, two);
    one.transport.send([append({ entries: [entry(1, "x".repeat(10_000))] })]);
    await two.until(() => two.messages.length === 1);
    expect(one.transport.stats(2n)?.sentBytes).toBeGreaterThan(10_000);
    expect(two.transport.stats(1n)?.receivedBytes).toBeGreaterThan(10_000);
    await expect.poll(() => one.transport.stats(2n)?.roundTrips.count).toBeGreaterThan(0);
    await two.transport.close();
    await expect.poll(() => one.transport.stats(2n)?.sendFailures).toBeGreaterThan(0);
    expect(one.transport.stats(3n)).toBeUndefined();
  });

  it("arrive whole when they are larger than what a socket takes at once", async () => {
    await using one = await testMember({ id: 1n });
    await using two = await testMember({ id: 2n });
    await connect(one, two);
    const appends = [1, 2, 3, 4].map((index) =>
      append({ logTerm: index === 1 ? 0 : 1, index: index - 1, entries: [entry(index, "x".repeat(3_000_000))] }),
    );
    one.transport.send(appends);
    await two.until(() => two.messages.length === 4);
    expect(two.messages.map(({ index, entries }) => [index, entries[0]?.data.length])).toEqual(
      [0, 1, 2, 3].map((index) => [index, 3_000_000]),
    );
  });

  it("go to each member of three", async () => {
    await using one = await testMember({ id: 1n });
    await using two = await testMember({ id: 2n });
    await using three = await testMember({ id: 3n });
    await connect(one, two, three);
    const members = [one, two, three];
    for (const { identity, transport } of members)
      transport.send(
        members
          .filter((other) => other.identity !== identity)
          .map((other) =>
            testMessage({ type: "MsgHeartbeat", from: identity.memberId, to: other.identity.memberId, term: 1 }),
          ),
      );
    for (const member of members) await member.until(() => member.messages.length === 2);
    expect(members.map(({ messages }) => messages.map(({ from }) => from).sort())).toEqual([
      [2n, 3n],
      [1n, 3n],
      [1n, 2n],
    ]);
  });

  it("leave out acknowledgements that a later one of the batch covers", async () => {
    await using one = await testMember({ id: 1n });
    await using two = await testMember({ id: 2n });
    await connect(one, two);
    const acks = [1, 2, 3].map((index) => testMessage({ type: "MsgAppResp", from: 1n, to: 2n, term: 1, index }));
    one.transport.send([...acks, testMessage({ type: "MsgHeartbeatResp", from: 1n, to: 2n, term: 1 })]);
    await two.until(() => two.messages.length === 2);
    expect(two.messages.map(({ type, index }) => [type, index])).toEqual([
      ["MsgAppResp", 3],
      ["MsgHeartbeatResp", 0],
    ]);
  });

  it("go nowhere when they are for strangers", async () => {
    await using one = await testMember({ id: 1n });
    one.transport.send([testMessage({ type: "MsgHeartbeat", from: 1n, to: 9n, term: 1 })]);
    expect(one.unreachable).toEqual([]);
  });

  it("report a member that is not there as unreachable", async () => {
    await using one = await testMember({ id: 1n });
    one.transport.addPeer(2n, ["http://127.0.0.1:1"]);
    one.transport.send([testMessage({ type: "MsgHeartbeat", from: 1n, to: 2n, term: 1 })]);
    await one.until(() => one.unreachable.length > 0);
    expect(one.unreachable).toEqual([2n]);
  });
});
