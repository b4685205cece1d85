/** @module The JSON gateway and what else is asked over HTTP/1.1, beside real etcd. */
import { readFileSync } from "node:fs";
import { httpRoutes } from "@conclave/protocol";
import { etcdAbsence } from "@conclave/testkit";
import { describe, expect, it } from "vitest";
import { GatewayClient, type GatewayRequest, type ShownAnswer } from "./gateway/request.ts";
import { topics } from "./gateway/requests.ts";
import { publishedRoutes } from "./gateway/routes.ts";
import { conclave, etcd34, etcd35 } from "./sides.ts";
import { expectSame, type Side } from "./suite.ts";

async function shownBy(side: Side, requests: readonly GatewayRequest[]): Promise<ShownAnswer[]> {
  await using server = await side.start();
  const client = new GatewayClient(server.endpoint);
  const shown: ShownAnswer[] = [];
  for (const request of requests) shown.push(await client.ask(request));
  return shown;
}

/** The same requests where 3.3 and 3.4 serve them too. */
const inBeta = (requests: readonly GatewayRequest[]): readonly GatewayRequest[] =>
  requests.map((request) => ({ ...request, path: request.path.replace(/^\/v3\//, "/v3beta/") }));

type Case = readonly [topic: string, requests: readonly GatewayRequest[]];

const cases: readonly Case[] = Object.entries(topics);
/** The later etcd serves every route below `/v3beta`, so it is enough to compare with that one there. */
const betaCases = cases
  .filter(([, requests]) => requests.some(({ path }) => path.startsWith("/v3/")))
  .map(([topic, requests]): Case => [`${topic}, below /v3beta`, inBeta(requests)]);

function compare(left: Side, right: Side, compared: readonly Case[] = cases): void {
  it.each(compared)(`${right.name} answers as ${left.name}: %s`, async (_topic, requests) => {
    const [expected, actual] = await Promise.all([shownBy(left, requests), shownBy(right, requests)]);
    expectSame({ side: left, shown: expected }, { side: right, shown: actual });
  });
}

describe("the gateway", () => {
  const requests = Object.values(topics).flat();

  it("is compared by at least 150 requests", () => {
    expect(requests.length).toBeGreaterThanOrEqual(150);
  });

  it("serves the published routes and no other, each in at least one comparison", () => {
    expect(Object.fromEntries(httpRoutes)).toEqual(publishedRoutes);
    for (const base of ["/v3/", "/v3beta/"]) {
      const compared = new Set([...cases, ...betaCases].flatMap(([, each]) => each.map(({ path }) => path)));
      const published = Object.keys(publishedRoutes).map((route) => route.replace("/v3/", base));
      expect(published.filter((route) => !compared.has(route))).toEqual([]);
    }
  });

  it("differs by rows of the table in docs/compatibility.md", () => {
    const table = readFileSync(new URL("../../docs/compatibility.md", import.meta.url), "utf8");
    const rows = new Set(requests.flatMap(({ differs = {} }) => Object.values(differs)));
    for (const row of rows) expect(table).toContain(`\n| ${row} |`);
  });

  const absent = { "3.4": etcdAbsence("3.4"), "3.5": etcdAbsence("3.5") };
  describe.skipIf(absent["3.4"])(`against etcd 3.4 ${absent["3.4"] ?? ""}`, () => compare(etcd34, conclave));
  describe.skipIf(absent["3.5"])(`against etcd 3.5 ${absent["3.5"] ?? ""}`, () =>
    compare(etcd35, conclave, [...cases, ...betaCases]),
  );
  describe.skipIf(absent["3.4"] ?? absent["3.5"])("etcd 3.4 against 3.5", () => compare(etcd35, etcd34));
});
