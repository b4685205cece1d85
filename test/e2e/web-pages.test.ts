/** @module What a web page can do with a member on loopback, as the table in docs/threat-model.md says. */
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "@conclave/client";
import { startMember } from "@conclave/testkit";
import { describe, expect, test } from "vitest";

const evil = "http://evil.example";
const put = JSON.stringify({ key: btoa("page"), value: btoa("1") });

type Config = NonNullable<NonNullable<Parameters<typeof startMember>[0]>["config"]>;
type Reach = Readonly<Record<"reads" | "writes" | "rebinds", boolean>>;

/** What pages of a foreign site reach: by the member's own address, and by a name that leads to it. */
async function reachOf(config: Config): Promise<Reach> {
  await using member = await startMember({ config });
  const [address = "", port = ""] = member.endpoint.split(":");
  const send = async (host: string) => {
    // What a browser sends for a plain form, without asking first.
    const headers = { host, origin: evil, "content-type": "text/plain" };
    const sent = request({ host: address, port, path: "/v3/kv/put", method: "POST", headers }).end(put);
    const [response] = await once(sent, "response");
    response.resume();
    return response;
  };
  const answer = await send(member.endpoint);
  const byOtherName = await send(`evil.example:${port}`);
  await using client = await connect({ endpoints: [member.endpoint] });
  return {
    reads: answer.statusCode === 200 && ["*", evil].includes(answer.headers["access-control-allow-origin"]),
    writes: (await client.get("page")) !== undefined && answer.statusCode === 200,
    rebinds: byOtherName.statusCode === 200,
  };
}

describe("a web page reaches of a member on loopback", () => {
  test.each<readonly [string, Config, Reach]>([
    ["everything, by default", {}, { reads: true, writes: true, rebinds: true }],
    ["no answer, with --cors", { cors: ["https://app.example"] }, { reads: false, writes: true, rebinds: true }],
    [
      "nothing by another name, with --host-whitelist too",
      { cors: ["https://app.example"], hostWhitelist: ["localhost", "127.0.0.1"] },
      { reads: false, writes: true, rebinds: false },
    ],
    ["nothing, without the gateway", { enableGrpcGateway: false }, { reads: false, writes: false, rebinds: false }],
  ])("%s", async (_title, config, reach) => {
    expect(await reachOf(config)).toEqual(reach);
  });
});
