import { connect } from "@conclave/client";
import { startMember, type TestMember } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

describe("HTTP/1.1 on the client port", () => {
  let member: TestMember;
  beforeAll(async () => {
    member = await startMember();
  });
  afterAll(() => member[Symbol.asyncDispose]());
  const ask = async (path: string, init?: RequestInit) => {
    const reply = await fetch(`${member.url}${path}`, init);
    return { status: reply.status, type: reply.headers.get("content-type"), body: await reply.text() };
  };

  test("/version names the API level and Conclave's own version", async () => {
    const { status, body } = await ask("/version");
    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual({
      etcdserver: "3.6.0",
      etcdcluster: "3.6.0",
      storage: "3.6.0",
      conclave: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    });
  });

  test("/health, /livez and /readyz say that it serves", async () => {
    expect(await ask("/health")).toMatchObject({ status: 200, body: '{"health":"true","reason":""}' });
    expect(await ask("/livez")).toMatchObject({ status: 200, body: "ok\n" });
    expect(await ask("/readyz")).toMatchObject({ status: 200, body: "ok\n" });
    expect((await ask("/readyz?verbose")).body).toBe(
      "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n",
    );
  });

  test("an alarm makes it unhealthy, unless it is excluded", async () => {
    await using client = await connect({ endpoints: [member.endpoint] });
    await client.raw.maintenance.alarm({ action: 1, memberID: member.server.memberId, alarm: 1 });
    expect(await ask("/health")).toMatchObject({ status: 503, body: '{"health":"false","reason":"ALARM NOSPACE"}' });
    expect(await ask("/health?exclude=NOSPACE")).toMatchObject({ status: 200 });
    await client.raw.maintenance.alarm({ action: 2, memberID: member.server.memberId, alarm: 1 });
    expect(await ask("/health")).toMatchObject({ status: 200 });
  });

  test("/metrics has etcd's names with this member's values", async () => {
    await using client = await connect({ endpoints: [member.endpoint] });
    const { revision } = await client.put("metric", "1");
    const { status, type, body } = await ask("/metrics");
    expect(status).toBe(200);
    expect(type).toContain("text/plain");
    expect(body).toContain("etcd_server_has_leader 1\n");
    expect(body).toContain("etcd_server_is_leader 1\n");
    expect(body).toContain(`etcd_debugging_mvcc_current_revision ${revision}\n`);
  });

  test("other paths and methods are refused", async () => {
    expect(await ask("/nonsense")).toMatchObject({ status: 404 });
    expect(await ask("/version", { method: "POST", body: "x" })).toMatchObject({ status: 405 });
  });
});
