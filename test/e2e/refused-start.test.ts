import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { createClient } from "@conclave/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Conclave, conclave, contentsOf, makePlace, type Place, type RunOptions } from "./conclave.ts";

/** Runs the command and expects what operators get for their mistakes: one line that says what, and status 1. */
async function refusal(args: readonly string[], options?: RunOptions): Promise<string> {
  const { status, stdout, stderr } = await conclave(args, options);
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  const lines = stderr
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const refusals = lines.filter(({ level }) => level === "error" || level === "fatal");
  expect(refusals).toHaveLength(1);
  const message: string = refusals[0].msg;
  expect(message).not.toMatch(/\n|^\s*at /); // One line, and no stack trace.
  return message;
}

describe("a mistake in the configuration is told in one line that names option and value:", () => {
  let place: Place;
  beforeAll(async () => {
    place = await makePlace();
  });
  afterAll(() => place[Symbol.asyncDispose]());

  test("an unknown flag", async () => {
    expect(await refusal(["--no-such-flag=1"])).toContain("Unknown flag '--no-such-flag'");
  });

  test("an invalid value in a flag", async () => {
    expect(await refusal(["--heartbeat-interval=soon"])).toBe(
      'Invalid value "soon" for --heartbeat-interval: must be a whole number from 1',
    );
  });

  test("an invalid value in the environment", async () => {
    expect(await refusal([], { env: { ETCD_ELECTION_TIMEOUT: "-1" } })).toContain(
      'Invalid value "-1" for ETCD_ELECTION_TIMEOUT: must be a whole number',
    );
  });

  test("an invalid value in the configuration file", async () => {
    const path = join(place.directory, "conclave.yaml");
    await writeFile(path, "snapshot-count: many\n");
    expect(await refusal([`--config-file=${path}`])).toBe(
      `Invalid value "many" for 'snapshot-count' in ${path}: must be a whole number from 1`,
    );
  });

  test("an unknown option in the configuration file, and one that is no YAML", async () => {
    const path = join(place.directory, "broken.yaml");
    await writeFile(path, "nam: x\n");
    expect(await refusal([`--config-file=${path}`])).toBe(`Unknown option 'nam' in the configuration file '${path}'`);
    await writeFile(path, "name: [\n");
    expect(await refusal([`--config-file=${path}`])).toContain(`Cannot read the configuration file '${path}'`);
  });

  test("a log that cannot be written", async () => {
    const path = join(place.directory, "none", "log");
    expect(await refusal([`--log-outputs=${path}`])).toContain(`Cannot write the log to '${path}': ENOENT`);
    expect(await refusal(["--log-outputs="])).toContain('Invalid value "" for --log-outputs');
  });

  // A directory that no process may write in, whatever user it runs as.
  test.skipIf(process.platform !== "linux")("a data directory that cannot be written", async () => {
    const dataDir = "/proc/conclave/data";
    expect(await refusal([`--data-dir=${dataDir}`])).toContain(`Cannot use the data directory '${dataDir}': ENOENT`);
  });

  test("a data directory that is a file", async () => {
    const path = join(place.directory, "file");
    await writeFile(path, "");
    expect(await refusal([`--data-dir=${path}`])).toContain(`Cannot use the data directory '${path}': ENOTDIR`);
  });

  test("a port in use", async () => {
    const other = createServer().listen(Number(place.endpoint.split(":")[1]), "127.0.0.1");
    await once(other, "listening");
    expect(await refusal(place.flags)).toContain(`Cannot listen on http://${place.endpoint}: listen EADDRINUSE`);
    other.close();
  });
});

describe("a data directory that cannot be trusted is refused and left as it is:", () => {
  let original: Place;
  beforeAll(async () => {
    original = await makePlace();
    await fill(original);
  });
  afterAll(() => original[Symbol.asyncDispose]());

  /** Puts a copy of the data in a place of its own. */
  async function copied(): Promise<Place> {
    const place = await makePlace();
    await cp(original.dataDir, place.dataDir, { recursive: true });
    return place;
  }

  /** Starts on the data in a place, and expects to be refused without a trace. */
  async function refusalUntouched(place: Place): Promise<string> {
    const before = await contentsOf(place.dataDir);
    const message = await refusal(place.flags);
    expect(await contentsOf(place.dataDir)).toEqual(before);
    return message;
  }

  test("in use by another member", async () => {
    await using place = await copied();
    await using run = await new Conclave(place.flags).ready();
    await using elsewhere = await makePlace();
    const flags = [...elsewhere.flags, `--data-dir=${place.dataDir}`];
    expect(await refusal(flags)).toBe(`Cannot use the data directory '${place.dataDir}': another process is using it`);
    expect((await run.signal("SIGTERM")).status).toBe(0);
  });

  test("with the log of another member", async () => {
    await using place = await copied();
    await using other = await makePlace();
    await fill(other);
    await rm(join(place.dataDir, "member", "wal"), { recursive: true });
    await cp(join(other.dataDir, "member", "wal"), join(place.dataDir, "member", "wal"), { recursive: true });
    expect(await refusalUntouched(place)).toContain("belong to different members");
  });

  test("with a bit flipped in the middle of its log", async () => {
    await using place = await copied();
    const wal = join(place.dataDir, "member", "wal");
    const path = join(wal, (await readdir(wal))[0] ?? "");
    const bytes = await readFile(path);
    const at = bytes.indexOf("value-10");
    expect(at).toBeGreaterThan(0);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(path, bytes);
    expect(await refusalUntouched(place)).toContain(path);
  });

  test("without the log that belongs to its store", async () => {
    await using place = await copied();
    await rm(join(place.dataDir, "member", "wal"), { recursive: true });
    expect(await refusalUntouched(place)).toMatch(/write-ahead log '.*' is missing beside a store that holds data/);
  });

  test("with a store that is none", async () => {
    await using place = await copied();
    const store = join(place.dataDir, "member", "store");
    for (const name of await readdir(store)) await writeFile(join(store, name), "not a store at all".repeat(1000));
    expect(await refusalUntouched(place)).toContain(`Cannot open the store in ${store}`);
  });
});

const prlimit = spawnSync("prlimit", ["--version"]).status === 0;

test.skipIf(!prlimit)(
  "a disk that takes no more stops the member with status 1, and nothing acknowledged is lost",
  async () => {
    await using place = await makePlace();
    let acknowledged = 0;
    {
      await using run = await new Conclave(place.flags).ready();
      await using client = createClient({ endpoints: [place.endpoint] });
      // From here on the operating system refuses every write beyond the first few bytes of a file.
      spawnSync("prlimit", ["--pid", `${run.child.pid}`, "--fsize=200000"]);
      await expect(
        (async () => {
          for (;;) {
            await client.put("key", `${acknowledged + 1}${" ".repeat(1000)}`, { timeoutMs: 5_000 });
            acknowledged += 1;
          }
        })(),
      ).rejects.toMatchObject({ name: "ConclaveError" });
      const { status, stderr } = await run.ending;
      expect(status).toBe(1);
      expect(JSON.parse(stderr.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({
        level: "error",
        msg: "stopped after a failure",
        error: expect.stringMatching(/^Cannot write the (log|store)\b.+$/),
      });
    }
    await using _again = await new Conclave(place.flags).ready();
    await using client = createClient({ endpoints: [place.endpoint] });
    const kept = Number.parseInt((await client.getString("key")) ?? "", 10);
    expect([acknowledged, acknowledged + 1]).toContain(kept);
  },
);

/** Lets a member write a little into its place, and stops it. */
async function fill(place: Place): Promise<void> {
  await using run = await new Conclave(place.flags).ready();
  await using client = createClient({ endpoints: [place.endpoint] });
  for (let at = 0; at < 20; at++) await client.put(`key-${at}`, `value-${at}`);
  await client.close();
  expect((await run.signal("SIGTERM")).status).toBe(0);
}
