import { type ClientOptions, createClient, op, prefix } from "@conclave/client";
import { startMember, type TestMember } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeInChunks } from "./naive/batch-writer.ts";

const pairsOf = (space: string): (readonly [string, string])[] =>
  Array.from({ length: 130 }, (_, n) => [`${space}/${n}`, "1"] as const);

describe("T24: a transaction larger than the store takes", () => {
  let member: TestMember;

  beforeAll(async () => {
    member = await startMember();
  });
  afterAll(() => member?.[Symbol.asyncDispose]());

  test("is refused whole, with the reason: too many operations, a key twice, too many bytes", async () => {
    await using client = createClient({ endpoints: member.endpoint });
    const commit = (...ops: ReturnType<typeof op.put>[]) =>
      client
        .txn()
        .then(...ops)
        .commit();
    const puts = pairsOf("ours").map(([key, value]) => op.put(key, value));
    await expect(commit(...puts)).rejects.toMatchObject({ code: "TOO_MANY_OPS", maybeApplied: false });
    const twice = commit(op.put("ours/a", "1"), op.put("ours/a", "2"));
    await expect(twice).rejects.toMatchObject({ code: "DUPLICATE_KEY", maybeApplied: false });
    const large = commit(op.put("ours/b", new Uint8Array(2 << 20)));
    await expect(large).rejects.toMatchObject({ code: "REQUEST_TOO_LARGE", maybeApplied: false });
    const optimistic = client.transact(async (tx) => {
      for (const [key, value] of pairsOf("ours")) tx.put(key, value);
    });
    await expect(optimistic).rejects.toMatchObject({ code: "TOO_MANY_OPS" });
    expect((await client.range(prefix("ours/"), { countOnly: true })).count).toBe(0);
  });

  test("is refused before it is sent, and by the members alike where the client is told to leave it to them", async () => {
    const told = async (limits: ClientOptions["limits"]) => {
      let sent = 0;
      await using client = createClient({
        endpoints: member.endpoint,
        limits,
        interceptors: [
          (next) => async (request) => {
            sent++;
            return await next(request);
          },
        ],
      });
      const txns = [
        pairsOf("told").map(([key, value]) => op.put(key, value)),
        [op.put("told/a", "1"), op.put("told/a", "2")],
        [op.put("told/b", new Uint8Array(1_600_000))],
      ];
      const commits = txns.map((ops) =>
        client
          .txn()
          .then(...ops)
          .commit(),
      );
      const results = await Promise.allSettled([...commits, client.put("told/c", new Uint8Array(1_600_000))]);
      const codes = results.map((result) => (result.status === "rejected" ? result.reason.code : "committed"));
      return { codes, sent };
    };
    const codes = ["TOO_MANY_OPS", "DUPLICATE_KEY", "REQUEST_TOO_LARGE", "REQUEST_TOO_LARGE"];
    expect(await told(undefined)).toEqual({ codes, sent: 0 });
    const none = { txnOps: Number.POSITIVE_INFINITY, requestBytes: Number.POSITIVE_INFINITY };
    expect(await told(none)).toEqual({ codes, sent: 4 });
    expect(await told({ txnOps: 1 })).toEqual({ codes: ["TOO_MANY_OPS", "TOO_MANY_OPS", ...codes.slice(2)], sent: 0 });
  });

  test("cut into pieces in silence is written by half when its writer ends in between", async () => {
    let transactions = 0;
    await using client = createClient({
      endpoints: member.endpoint,
      interceptors: [
        (next) => async (request) => {
          if (request.path.endsWith("/Txn") && transactions++ === 1) throw new Error("the process was killed here");
          return await next(request);
        },
      ],
    });
    await writeInChunks(client, pairsOf("naive"), { size: 128 }).catch(() => {});
    expect((await client.range(prefix("naive/"), { countOnly: true })).count).toBe(128);
  });
});
