/**
 * @module The client against real members. Every back end that speaks the protocol passes the same tests.
 */
import { etcdAbsence, startEtcd } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Client, connect } from "./client.ts";
import { compare } from "./compare.ts";
import { allKeys, prefix } from "./key-range.ts";
import { op } from "./op.ts";

/** A member to test against. */
interface LiveMember extends AsyncDisposable {
  readonly endpoint: string;
}

interface BackEnd {
  readonly name: string;
  readonly absent: string | undefined;
  start(): Promise<LiveMember>;
}

const backEnds: readonly BackEnd[] = [{ name: "etcd", absent: etcdAbsence(), start: () => startEtcd() }];

describe.each(backEnds)("the client against $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "a member", () => {
    let member: LiveMember;
    let client: Client;
    let count = 0;

    beforeAll(async () => {
      member = await start();
      client = await connect({ endpoints: member.endpoint });
    });
    afterAll(async () => {
      await client?.close();
      await member?.[Symbol.asyncDispose]();
    });

    /** Keys that no other test sees. */
    const space = () => client.namespace(`test-${count++}/`);

    test("put() then get() gives the value and its revisions", async () => {
      const kv = space();
      const { revision } = await kv.put("a", "1");
      const found = await kv.get("a");
      expect(found).toMatchObject({
        keyString: "a",
        valueString: "1",
        createRevision: revision,
        modRevision: revision,
        version: 1,
        lease: 0n,
      });
      expect(await kv.getString("missing")).toBeUndefined();
    });

    test("a typed txn answers per operation, nested ones too", async () => {
      const kv = space();
      const result = await kv
        .txn()
        .if(compare.version("a").equal(0))
        .then(op.put("a", "1"), op.get("a"), kv.txn().if(compare.version("a").equal(0)).then(op.range(allKeys())))
        .else(op.delete("a"))
        .commit();
      if (!result.succeeded) throw new Error("the condition holds");
      const [put, got, nested] = result.responses;
      expect(put.prevKv).toBeUndefined();
      expect(got?.valueString).toBe("1");
      expect(nested.succeeded && nested.responses[0].count).toBe(1);
    });

    test("watch from a snapshot tells what is there, then what happens", async () => {
      const kv = space();
      await kv.put("a", "1");
      const seen: string[] = [];
      for await (const batch of kv.watch(prefix(""), { from: "snapshot" })) {
        for (const event of batch.events) seen.push(`${batch.kind} ${event.type} ${event.kv.keyString}`);
        if (batch.kind === "resync") {
          await kv.put("b", "2");
          await kv.delete("a");
        }
        if (seen.length === 3) break;
      }
      expect(seen).toEqual(["resync put a", "events put b", "events delete a"]);
    });

    test("a session holds its lease and close() deletes its keys", async () => {
      const kv = space();
      const session = await client.session({ ttlSec: 2 });
      await kv.put("mine", "1", { lease: session.lease });
      expect(session.held).toBe(true);
      await session.close();
      expect(session.held).toBe(false);
      expect(await kv.get("mine")).toBeUndefined();
    });

    test("a shared session heals after its lease was revoked", async () => {
      await using shared = client.sharedSession({ ttlSec: 1 });
      const first = await shared.ready();
      const next = new Promise<bigint>((resolve) => shared.once("session", (session) => resolve(session.lease)));
      await client.lease.revoke(first.lease);
      expect(await next).not.toBe(first.lease);
      expect((await first.ended).code).toBe("SESSION_LOST");
    });
  });
});
