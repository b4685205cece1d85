/** @module What members answer about downgrades, and how a cluster goes back. */
import { type Client, createClient } from "@conclave/client";
import { DowngradeRequest_DowngradeAction as Action } from "@conclave/protocol/etcdserverpb";
import { etcdAbsence, startCluster, startEtcd, startMember } from "@conclave/testkit";
import { expect, test } from "vitest";

const absent = etcdAbsence("3.5");

/** Asks, and shows the answer: `ok`, or the text of the refusal. */
async function ask(client: Client, action: keyof typeof Action, version = ""): Promise<string> {
  try {
    await client.raw.maintenance.downgrade({ action: Action[action], version });
    return "ok";
  } catch (error) {
    // etcd 3.5 does what it is told and never answers.
    if (String(error).includes("etcdserver: request timed out")) return "ok";
    return error instanceof Error ? error.message : String(error);
  }
}

/** What a member answers; `minor` is the minor version of the cluster. */
async function answers(endpoint: string, minor: number): Promise<readonly string[]> {
  await using client = createClient({ endpoints: [endpoint], timeoutMs: 15_000 });
  const before = `3.${minor - 1}`;
  const versions = ["", "nonsense", "3", `v${before}`, `${before}.7`, `3.${minor - 2}`, `3.${minor}`, `4.${minor - 1}`];
  const refused: string[] = [];
  for (const version of [...versions, before]) refused.push(await ask(client, "VALIDATE", version));
  return [
    ...refused,
    await ask(client, "CANCEL"),
    await ask(client, "ENABLE", `3.${minor - 2}`),
    await ask(client, "ENABLE", before),
    await ask(client, "ENABLE", before),
    await ask(client, "VALIDATE", before),
    await ask(client, "CANCEL", "any"),
    await ask(client, "CANCEL"),
  ];
}

test.skipIf(absent)(`downgrades are answered as etcd 3.5 does ${absent ?? ""}`, async () => {
  await using etcd = await startEtcd({ version: "3.5" });
  await using member = await startMember();
  const [expected, actual] = await Promise.all([answers(etcd.endpoint, 5), answers(member.endpoint, 6)]);
  expect(actual).toEqual(expected);
});

test("no cluster goes back to where its log cannot be read", async () => {
  await using cluster = await startCluster({ size: 1, flags: ["--max-cluster-version=3.5"] });
  await using client = createClient({ endpoints: cluster.endpoints });
  expect(await ask(client, "VALIDATE", "3.4")).toContain("etcdserver: invalid downgrade target version");
});

test.skipIf(absent)(
  `a cluster that goes back lets etcd 3.5 in, and has gone back when nobody else is left ${absent ?? ""}`,
  async () => {
    // A member of the past cannot read a log from the start that says how the cluster came to the present.
    const flags = ["--snapshot-count=5", "--experimental-snapshot-catchup-entries=1"];
    await using cluster = await startCluster({ size: 1, flags });
    await using client = createClient({ endpoints: cluster.endpoints });
    const [member] = cluster.members;
    const told = async (path: string): Promise<string> => await (await fetch(`${member?.peerUrl}${path}`)).text();
    expect(await told("/downgrade/enabled")).toBe("false");
    const { version } = await client.raw.maintenance.downgrade({ action: Action.ENABLE, version: "3.5" });
    expect(version).toBe("3.6");
    expect(await told("/downgrade/enabled")).toBe("true");
    expect((await client.maintenance.status()).downgradeInfo).toEqual({ enabled: true, targetVersion: "3.5.0" });
    for (let count = 0; count < 20; count++) await client.put("key", "value");

    const earlier = await cluster.addMember({ kind: "etcd", version: "3.5", flags: [] });
    await using there = createClient({ endpoints: [earlier.endpoint] });
    await expect.poll(() => told("/version"), { timeout: 20_000 }).toContain('"etcdcluster":"3.5.0"');
    expect(await told("/downgrade/enabled")).toBe("true");
    // It takes nobody's calls while the cluster speaks a version that it does not know.
    await expect.poll(async () => (await there.get("key"))?.valueString, { timeout: 20_000 }).toBe("value");
    await there.put("key", "from etcd");
    expect((await client.get("key"))?.valueString).toBe("from etcd");

    await member?.restart({ flags: ["--max-cluster-version=3.5"] });
    await expect.poll(() => told("/downgrade/enabled"), { timeout: 20_000 }).toBe("false");
    expect(await told("/version")).toContain('"etcdcluster":"3.5.0"');
  },
);
