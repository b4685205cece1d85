import { connect } from "@conclave/client";
import { freePorts, startMember, type TestMember } from "@conclave/testkit";
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
    expect(await ask("/health")).toMatchObject({ status: 503, body: '{"health":"false","reason":"ALARM NOSPACE"}\n' });
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
    expect(await ask("/v2/keys/k")).toMatchObject({ status: 404, body: expect.stringContaining("use the v3 API") });
    expect(await ask("/version", { method: "POST", body: "x" })).toMatchObject({ status: 405 });
  });
});

test("HTTP/1.1 and metrics have ports of their own where they are given", async () => {
  const [httpPort, metricsPort] = await freePorts(2);
  const [http, metrics] = [`http://127.0.0.1:${httpPort}`, `http://127.0.0.1:${metricsPort}`];
  await using member = await startMember({ config: { listenClientHttpUrls: http, listenMetricsUrls: metrics } });
  const statuses = (url: string) =>
    Promise.all(
      ["/v3/kv/range", "/version", "/health", "/readyz", "/metrics"].map(
        async (path) => (await fetch(`${url}${path}`, { method: path.startsWith("/v3") ? "POST" : "GET" })).status,
      ),
    );
  // A range of no key is a bad request: there is a gateway.
  expect(await statuses(http)).toEqual([400, 200, 200, 200, 200]);
  expect(await statuses(metrics)).toEqual([404, 404, 200, 200, 200]);
  expect(await statuses(member.url)).toEqual([404, 404, 404, 404, 404]);
  await using client = await connect({ endpoints: [member.endpoint] });
  await client.put("k", "v");
});

test("the gateway answers pages and hosts that it is told to, and can be left out", async () => {
  const config = { cors: "https://app.example", hostWhitelist: "127.0.0.1", enableGrpcGateway: false };
  await using member = await startMember({ config });
  const ask = (headers: Record<string, string>) => fetch(`${member.url}/version`, { headers });
  const allowed = "access-control-allow-origin";
  expect((await ask({ origin: "https://app.example" })).headers.get(allowed)).toBe("https://app.example");
  expect((await ask({ origin: "https://other.example" })).headers.get(allowed)).toBeNull();
  expect((await fetch(member.url.replace("127.0.0.1", "localhost"))).status).toBe(421);
  expect((await fetch(`${member.url}/v3/kv/range`, { method: "POST", body: "{}" })).status).toBe(404);
});
