import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Client, connect, listContentions, readContenders, readLeaseTimes, takeOwnership } from "./index.ts";

describe.each(backEnds())("who contends, on $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "one member", { timeout: 30_000 }, () => {
    let member: BackEndMember;
    let client: Client;
    beforeAll(async () => {
      member = await start();
      client = await connect({ endpoints: [member.endpoint] });
    });
    afterAll(async () => {
      await client.close();
      await member[Symbol.asyncDispose]();
    });

    test("is told in the order of arrival, by name, and nothing else is", async () => {
      await using first = await takeOwnership(client, "jobs/report", { value: "one" });
      const ended = new AbortController();
      const second = takeOwnership(client, "jobs/report", { value: "two", signal: ended.signal }).catch(
        () => undefined,
      );
      while ((await readContenders(client, "jobs/report")).contenders.length < 2);
      await using other = await takeOwnership(client, "jobs/mail");
      await client.put("jobs/report/readme", "of no lease");
      await client.put("jobs/leased", "no contender", { lease: other.lease });

      const { revision, contentions } = await listContentions(client, "jobs/");
      expect(contentions.map(({ name }) => name)).toEqual(["jobs/mail", "jobs/report"]);
      expect(revision).toBeGreaterThan(other.fence);
      const [, report] = contentions;
      expect(report?.contenders.map(({ value }) => value)).toEqual(["one", "two", "of no lease"]);
      expect(report?.contenders[0]).toEqual({
        ...{ key: first.key, fence: first.fence, lease: first.lease },
        ...{ value: "one", revision: first.fence },
      });
      expect((await listContentions(client, "jobs/m")).contentions).toHaveLength(1);
      expect((await listContentions(client, "")).contentions).toHaveLength(2);
      ended.abort();
      await second;
    });

    test("readLeaseTimes() tells how long leases live, and leaves out those that are gone", async () => {
      const { id } = await client.lease.grant({ ttlSec: 60 });
      const { id: gone } = await client.lease.grant({ ttlSec: 60 });
      await client.lease.revoke(gone);
      const times = await readLeaseTimes(client, [id, gone, 0n, id]);
      expect([...times.keys()]).toEqual([id]);
      expect(times.get(id)?.grantedSec).toBe(60);
      expect(times.get(id)?.remainingSec).toBeGreaterThan(50);
    });
  });
});
