/** @module Commands of etcdctl that work on a cluster for a while: what they leave is compared, not what they say. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type Client, createClient, prefix } from "@conclave/client";
import { etcdAbsence, startEtcd, startMember } from "@conclave/testkit";
import { describe, expect, test } from "vitest";

const conclavectl = join(import.meta.dirname, "..", "..", "bin", "conclavectl");
const absent = etcdAbsence("3.4");

/** A run of a control program; disposing of it interrupts it. */
function start(binary: string, args: readonly string[]) {
  const child = spawn(binary, args, { env: { PATH: process.env.PATH, ETCDCTL_API: "3" } });
  const ended = once(child, "close");
  const shown = { stdout: "", stderr: "" };
  child.stdout.on("data", (text) => {
    shown.stdout += text;
  });
  child.stderr.on("data", (text) => {
    shown.stderr += text;
  });
  return {
    async end(): Promise<{ readonly stdout: string; readonly stderr: string; readonly status: number }> {
      const [status] = await ended;
      return { ...shown, status };
    },
    async [Symbol.asyncDispose](): Promise<void> {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

const run = (binary: string, args: readonly string[]) => start(binary, args).end();

/** All pairs, as text. */
async function pairs(client: Client): Promise<readonly string[]> {
  const { kvs } = await client.range(prefix(""));
  return kvs.map(({ keyString, valueString }) => `${keyString}=${valueString}`);
}

async function eventuallyHolds(client: Client, expected: readonly string[]): Promise<void> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const found = await pairs(client);
    if (found.join() === expected.join() || performance.now() > deadline) return expect(found).toEqual(expected);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe.skipIf(absent)(`make-mirror ${absent ?? ""}`, () => {
  test.each([
    ["etcdctl", "from etcd to Conclave", startEtcd, startMember],
    [conclavectl, "from etcd to Conclave", startEtcd, startMember],
    [conclavectl, "from Conclave to etcd", startMember, startEtcd],
  ] as const)(
    "of %s brings what is there, and what happens, %s",
    async (binary, _way, startSource, startDestination) => {
      await using source = await startSource();
      await using destination = await startDestination();
      await using from = createClient({ endpoints: [source.endpoint] });
      await using to = createClient({ endpoints: [destination.endpoint] });
      for (let number = 10; number < 30; number++) await from.put(`app/${number}`, "first");
      await from.put("elsewhere", "stays");
      const flags = ["--prefix=app/", "--dest-prefix=copy/"];
      await using _mirror = start(binary, [
        `--endpoints=${source.endpoint}`,
        "make-mirror",
        ...flags,
        destination.endpoint,
      ]);
      const numbers = Array.from({ length: 20 }, (_, at) => at + 10);
      await eventuallyHolds(
        to,
        numbers.map((number) => `copy/${number}=first`),
      );
      await from.put("app/10", "second");
      await from.delete(prefix("app/2"));
      await from.put("app/99", "last");
      const rest = numbers.filter((number) => number > 10 && number < 20).map((number) => `copy/${number}=first`);
      await eventuallyHolds(to, ["copy/10=second", ...rest, "copy/99=last"]);
    },
  );

  test("takes up at a revision, and leaves the prefix away, as told", async () => {
    await using source = await startMember();
    await using destination = await startMember();
    await using from = createClient({ endpoints: [source.endpoint] });
    await using to = createClient({ endpoints: [destination.endpoint] });
    await from.put("app/a", "old");
    const { revision } = await from.put("app/b", "new");
    const flags = [`--rev=${revision}`, "--prefix=app/", "--no-dest-prefix", "--max-txn-ops=1"];
    await using _mirror = start(conclavectl, [
      `--endpoints=${source.endpoint}`,
      "make-mirror",
      ...flags,
      destination.endpoint,
    ]);
    await eventuallyHolds(to, ["b=new"]);
  });
});

/** Command lines that etcdctl refuses before it works, or because the keys are there that it would work on. */
const refused: readonly (readonly string[])[] = [
  ["check", "perf", "--load=bogus"],
  ["check", "datascale", "--load=bogus"],
  ["check", "perf", "--prefix=/taken/"],
  ["check", "datascale", "--prefix=/taken/"],
  ["make-mirror", "--prefix=a"],
  ["make-mirror", "a", "b"],
];

test.skipIf(absent)("check and make-mirror refuse what they cannot do as etcdctl does", async () => {
  await using server = await startMember();
  await using client = createClient({ endpoints: [server.endpoint] });
  await client.put("/taken/key", "value");
  for (const args of refused) {
    const flags = [`--endpoints=${server.endpoint}`, ...args];
    const [expected, actual] = await Promise.all([run("etcdctl", flags), run(conclavectl, flags)]);
    expect([actual.status, actual.stderr], args.join(" ")).toEqual([expected.status, expected.stderr]);
  }
});

test("check perf shows its figures, and leaves nothing behind", async () => {
  await using server = await startMember();
  await using client = createClient({ endpoints: [server.endpoint] });
  const flags = ["check", "perf", "--duration=1s", "--auto-compact", "--auto-defrag"];
  const { stdout, stderr } = await run(conclavectl, [`--endpoints=${server.endpoint}`, ...flags]);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/Compacted with revision \d+\nDefragmenting "[\d.:]+"\nDefragmented "[\d.:]+"\n/);
  expect(stdout).toMatch(/Throughput .*\d+ writes\/s\n.*Slowest request took .*s\n.*Stddev .*s\n(PASS|FAIL)\n$/);
  expect(await pairs(client)).toEqual([]);
});

test("doctor finds a cluster of one well but for that, and one that is full in need of help", async () => {
  await using server = await startMember();
  await using client = createClient({ endpoints: [server.endpoint] });
  const doctor = (...flags: readonly string[]) =>
    run(conclavectl, [`--endpoints=${server.endpoint}`, "doctor", ...flags]);
  const sound = await doctor();
  expect(sound.status).toBe(0);
  expect(sound.stdout).toMatch(/^WARN members +the cluster has one member/);
  expect(sound.stdout.match(/^OK /gm)).toHaveLength(9);
  const { header } = await client.maintenance.status();
  await client.maintenance.activateAlarm({ memberId: header.memberId, type: "NOSPACE" });
  const full = await doctor("-w=json");
  expect(full.status).toBe(1);
  expect(JSON.parse(full.stdout)[0]).toMatchObject({ check: "alarms", severity: "fail" });
});

test("put --ttl and --swap-with-... write on a lease and on condition; get --sort sorts", async () => {
  await using server = await startMember();
  await using client = createClient({ endpoints: [server.endpoint] });
  const ctl = (...args: readonly string[]) => run(conclavectl, [`--endpoints=${server.endpoint}`, ...args]);
  expect(await ctl("put", "a", "1", "--ttl=60")).toMatchObject({ stdout: "OK\n", status: 0 });
  expect((await client.get("a"))?.lease).not.toBe(0n);
  expect(await ctl("put", "a", "2", "--swap-with-value=1")).toMatchObject({ stdout: "OK\n", status: 0 });
  const { modRevision } = (await client.get("a")) ?? { modRevision: 0 };
  const refused = await ctl("put", "a", "3", "--swap-with-value=1", "--ttl=60");
  expect(refused).toMatchObject({
    stderr: `Error: compare failed: "a" has the value "2", written at revision ${modRevision}\n`,
    status: 1,
  });
  expect((await client.raw.lease.leaseLeases({})).leases).toHaveLength(1);
  expect(await ctl("put", "a", "3", `--swap-with-index=${modRevision}`)).toMatchObject({ stdout: "OK\n" });
  expect(await ctl("put", "none", "3", "--swap-with-index=7")).toMatchObject({
    stderr: 'Error: compare failed: there is no key "none"\n',
  });
  expect(await ctl("put", "a", "3", "--ttl=60", "--lease=77")).toMatchObject({ status: 128 });
  await ctl("put", "b", "4");
  expect(await ctl("get", "a", "--from-key", "--sort", "--consistent")).toMatchObject({ stdout: "a\n3\nb\n4\n" });
});
