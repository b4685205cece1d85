/** @module `conclavectl migrate` from etcd and from Conclave to Conclave, while the source is being written to. */
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { runConclavectl } from "@conclave/cli";
import { type Client, createClient, type WatchEvent } from "@conclave/client";
import {
  createTestAuthority,
  etcdAbsence,
  freePorts,
  startEtcd,
  startMember,
  type TestAuthority,
  type TestMember,
} from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fill, post } from "./stored-state.ts";

interface Source extends AsyncDisposable {
  readonly endpoint: string;
  readonly url: string;
}

const sources: readonly {
  readonly name: string;
  readonly absent: string | undefined;
  readonly start: () => Promise<Source>;
}[] = [
  { name: "Conclave", absent: undefined, start: () => startMember() },
  { name: "etcd 3.4", absent: etcdAbsence("3.4"), start: () => startEtcd({ version: "3.4" }) },
  { name: "etcd 3.5", absent: etcdAbsence("3.5"), start: () => startEtcd({ version: "3.5" }) },
];

/** How to run the command. */
interface RunOptions {
  /** Whether it is interrupted before it begins; default: it is not. */
  readonly isInterrupted?: boolean;
  /** Flags about the source; default: none. */
  readonly flags?: readonly string[];
}

/** A run of the command in this process. */
class Run {
  out = "";
  err = "";
  readonly exit: Promise<number>;
  readonly #interruptions: AbortController[] = [];
  readonly #told = new EventTarget();

  constructor(source: string, args: readonly string[], { isInterrupted = false, flags = [] }: RunOptions = {}) {
    this.exit = runConclavectl({
      args: [`--endpoints=${source}`, ...flags, "migrate", ...args],
      env: {},
      stdin: Readable.from([]),
      out: (text) => {
        this.out += String(text);
      },
      err: (text) => {
        this.err += text;
        this.#told.dispatchEvent(new Event("line"));
      },
      interruption: () => {
        const controller = new AbortController();
        if (isInterrupted) controller.abort();
        this.#interruptions.push(controller);
        return controller.signal;
      },
    });
  }

  /** Resolves when it has said something. */
  async said(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.err)) await Promise.race([once(this.#told, "line"), this.#untimelyEnd()]);
  }

  interrupt(): void {
    for (const controller of this.#interruptions) controller.abort();
  }

  async #untimelyEnd(): Promise<never> {
    throw new Error(`ended with ${await this.exit}: ${this.err}`);
  }
}

/** Writes pairs that always have the same value, single keys that come and go, and keys under a lease of their own. */
class Writer {
  readonly #client: Client;
  readonly #ended: Promise<void>;
  #isStopped = false;
  #rounds = 0;

  constructor(client: Client) {
    this.#client = client;
    this.#ended = this.#write();
  }

  async stop(): Promise<number> {
    this.#isStopped = true;
    await this.#ended;
    return this.#rounds;
  }

  async #write(): Promise<void> {
    const { raw, lease } = this.#client;
    const put = (key: string, value: string, id = 0n) => ({
      request: {
        $case: "requestPut" as const,
        value: { key: Buffer.from(key), value: Buffer.from(value), lease: id },
      },
    });
    for (; !this.#isStopped; this.#rounds++) {
      const at = this.#rounds;
      const success = [put("pair/a", String(at)), put("pair/b", String(at))];
      await raw.kv.txn({ success: success as never });
      await this.#client.put(`single/${at % 7}`, String(at));
      if (at % 3 === 0) await this.#client.delete(`single/${(at + 2) % 7}`);
      if (at % 10 !== 0) continue;
      const { id } = await lease.grant({ ttlSec: 600 });
      await this.#client.put(`leased/${at}`, "", { lease: id });
      if (at % 20 === 0) await lease.revoke(id);
    }
  }
}

async function content(client: Client): Promise<readonly string[]> {
  const { kvs } = await client.raw.kv.range({ key: Buffer.from("\0"), rangeEnd: Buffer.from("\0") });
  return kvs.map(
    ({ key, value, lease }) => `${Buffer.from(key)} ${value.length} ${Buffer.from(value).subarray(0, 9)} ${lease}`,
  );
}

describe.each(sources)("conclavectl migrate from $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "", () => {
    let source: Source;
    let target: TestMember;
    let from: Client;
    let to: Client;

    beforeAll(async () => {
      source = await start();
      target = await startMember();
      from = createClient({ endpoints: [source.endpoint] });
      to = createClient({ endpoints: [target.endpoint] });
      await fill(source, 20);
      await post(source.url, "lease/grant", { ID: "79", TTL: "9000" });
    });

    afterAll(async () => {
      await from?.close();
      await to?.close();
      await target?.[Symbol.asyncDispose]();
      await source?.[Symbol.asyncDispose]();
    });

    const migrate = async (...args: readonly string[]) => {
      const run = new Run(source.endpoint, [target.endpoint, ...args]);
      return { exit: await run.exit, out: run.out, err: run.err };
    };

    it("stops when it is interrupted and goes on when it is started again, though the source compacts", async () => {
      const interrupted = new Run(source.endpoint, [target.endpoint], { isInterrupted: true });
      expect(await interrupted.exit).toBe(5);
      expect(interrupted.err).toContain("interrupted: start again to go on");
      const run = new Run(source.endpoint, [target.endpoint, "--once"]);
      await run.said(/copies \d+ writes/);
      const { header } = await from.put("last", "2");
      await from.raw.kv.compact({ revision: BigInt(header.revision) });
      expect({ exit: await run.exit, err: run.err }).toMatchObject({ exit: 0 });
      expect(run.err).toContain("the source has compacted what was being read");
      expect(run.out).toMatch(/equal\n$/);
      expect(await content(to)).toEqual(expect.arrayContaining([...(await content(from))]));
    });

    it("copies nothing twice", async () => {
      const before = (await to.get("last"))?.modRevision;
      const { exit, err } = await migrate("--once");
      expect({ exit, copies: /copies/.test(err) }).toEqual({ exit: 0, copies: false });
      expect((await to.get("last"))?.modRevision).toBe(before);
    });

    it("follows the source while it is written to, revision by revision, and keeps its leases", async () => {
      await from.lease.grant({ id: 78n, ttlSec: 3 });
      await from.put("held", "1", { lease: 78n });
      const writer = new Writer(from);
      const run = new Run(source.endpoint, [target.endpoint, "-w", "json"]);
      await run.said(/follows the source from/);
      const pairs: WatchEvent[][] = [];
      const watching = (async () => {
        for await (const { kind, events } of to.watch({ key: Buffer.from("pair/"), rangeEnd: Buffer.from("pair0") }))
          if (kind === "events" && pairs.push([...events]) >= 50) return;
      })();
      // By the last renewal the lease would have ended at the destination if nobody renewed it there.
      let renewals = 0;
      for await (const _ of from.lease.keepAlive(78n)) if (++renewals > 5) break;
      await watching;
      run.interrupt();
      expect({ exit: await run.exit, err: run.err }).toMatchObject({ exit: 0 });
      expect(await writer.stop()).toBeGreaterThan(50);
      for (const events of pairs) {
        expect(events.map(({ kv }) => kv.key.length)).toEqual([6, 6]);
        expect(new Set(events.map(({ kv }) => kv.value.toString())).size).toBe(1);
      }
      const report = JSON.parse(run.out);
      expect(report).toMatchObject({
        equal: true,
        differing: 0,
        outOfOrder: 0,
        missingLeases: [],
        missingUsers: ["root"],
      });
      expect(report.source).toEqual(report.destination);
      expect(report.leases).toBeGreaterThanOrEqual(3);
      expect((await to.lease.timeToLive(78n)).ttlSec).toBeGreaterThan(0);
      await from.lease.revoke(78n);
    });

    it("finishes when nobody writes any more: the same keys, leases and order, and no mark", async () => {
      await from.delete("single/1");
      await from.put("single/1", "again");
      await from.put("unleased soon", "1", { lease: 79n });
      const { exit, err } = await migrate("--finish");
      expect({ exit, err }).toMatchObject({ exit: 0, err: expect.stringContaining("finished: point all clients to") });
      expect(await content(to)).toEqual(await content(from));
      const created = await to.raw.kv.range({
        key: Buffer.from("single/"),
        rangeEnd: Buffer.from("single0"),
        sortOrder: 1,
        sortTarget: 2,
      });
      expect(Buffer.from(created.kvs.at(-1)?.key ?? []).toString()).toBe("single/1");
      expect(await to.lease.timeToLive(79n)).toMatchObject({ grantedTtlSec: 9000 });
    });

    it("refuses a destination that is not empty, the source itself, and one under way from elsewhere", async () => {
      expect(await migrate("--once")).toMatchObject({
        exit: 1,
        err: expect.stringMatching(/destination is not empty/),
      });
      const itself = new Run(source.endpoint, [source.endpoint, "--once"]);
      expect({ exit: await itself.exit, err: itself.err }).toMatchObject({
        exit: 1,
        err: expect.stringMatching(/are the same cluster/),
      });
      await to.put("_conclave_migration", JSON.stringify({ source: "1234", revision: 5 }));
      expect(await migrate()).toMatchObject({ exit: 1, err: expect.stringMatching(/a copy of another cluster, 1234/) });
      const onwards = new Run(target.endpoint, [source.endpoint]);
      expect({ exit: await onwards.exit, err: onwards.err }).toMatchObject({
        exit: 1,
        err: expect.stringMatching(/itself the destination of a migration/),
      });
    });
  });
});

describe("conclavectl migrate", () => {
  it("fails when the destination cannot be made like the source, and undoes what others wrote there", async () => {
    await using source = await startMember();
    await using target = await startMember();
    const clients = [source, target].map(({ endpoint }) => createClient({ endpoints: [endpoint] }));
    const [from, to] = clients as [Client, Client];
    for (const key of ["a", "b", "c"]) await from.put(key, "1");
    const args = [target.endpoint, "--once"];
    expect(await new Run(source.endpoint, args).exit).toBe(0);
    await to.delete("a");
    await to.put("b", "2");
    await to.put("foreign", "1");
    const again = new Run(source.endpoint, args);
    expect({ exit: await again.exit, err: again.err }).toMatchObject({
      exit: 1,
      err: expect.stringMatching(/the destination differs from the source/),
    });
    expect(again.out).toMatch(/^2 keys stand in another order than at the source: .*\nNOT equal$/m);
    expect((await content(to)).filter((line) => !line.startsWith("_"))).toEqual(await content(from));
    for (const client of clients) await client.close();
  });
});

const password = "not to be seen";

/** A member behind TLS with users, whose tokens are good for a second. */
async function startGuarded(directory: string, authority: TestAuthority, name: string) {
  const { certFile, keyFile } = await authority.issue(name, { hosts: ["127.0.0.1"] });
  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const [publicFile, privateFile] = [join(directory, `${name}.pub`), join(directory, `${name}.priv`)];
  await writeFile(publicFile, publicKey);
  await writeFile(privateFile, privateKey);
  const [port] = await freePorts(1);
  const endpoint = `https://127.0.0.1:${port}`;
  const urls = { listenClientUrls: [endpoint], advertiseClientUrls: [endpoint] };
  const authToken = `jwt,pub-key=${publicFile},priv-key=${privateFile},sign-method=RS256,ttl=1s`;
  const member = await startMember({ config: { ...urls, certFile, keyFile, authToken } });
  const tls = { ca: authority.cert };
  await using open = createClient({ endpoints: [endpoint], tls });
  await open.raw.auth.userAdd({ name: "root", password });
  await open.raw.auth.userGrantRole({ user: "root", role: "root" });
  await open.raw.auth.authEnable();
  const client = createClient({ endpoints: [endpoint], tls, credentials: { username: "root", password } });
  return {
    endpoint,
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      await member[Symbol.asyncDispose]();
    },
  };
}

/** What a command line ends with that is given a token. */
async function exitWithToken(args: readonly string[], token: string): Promise<number> {
  return await runConclavectl({
    args: [...args, `--auth-jwt-token=${token}`, "get", "key"],
    env: {},
    stdin: Readable.from([]),
    out: () => undefined,
    err: () => undefined,
    interruption: () => new AbortController().signal,
  });
}

describe("a run of conclavectl migrate", () => {
  it("goes on when the tokens of both sides have expired, over TLS", async () => {
    const directory = await mkdtemp(join(tmpdir(), "migrate-"));
    const authority = await createTestAuthority(directory);
    try {
      await using source = await startGuarded(directory, authority, "source");
      await using target = await startGuarded(directory, authority, "target");
      await source.client.put("key", "1");
      const trust = [`--cacert=${authority.certFile}`];
      const run = new Run(
        source.endpoint,
        [target.endpoint, `--dest-cacert=${authority.certFile}`, "--dest-user=root", `--dest-password=${password}`],
        { flags: [...trust, "--user=root", `--password=${password}`] },
      );
      await run.said(/follows the source from/);
      for (const { endpoint, client } of [source, target]) {
        const { token } = await client.raw.auth.authenticate({ name: "root", password });
        const ask = () => exitWithToken([`--endpoints=${endpoint}`, ...trust], token);
        await expect.poll(ask, { timeout: 30_000 }).not.toBe(0);
      }
      await source.client.put("key", "2");
      await expect.poll(() => target.client.getString("key"), { timeout: 30_000 }).toBe("2");
      run.interrupt();
      expect({ exit: await run.exit, err: run.err }).toMatchObject({ exit: 0 });
      expect(run.out).toMatch(/equal\n$/);
      expect(run.err).not.toContain(password);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it("ends when another run has gone on with the same migration", async () => {
    await using source = await startMember();
    await using target = await startMember();
    await using from = createClient({ endpoints: [source.endpoint] });
    await from.put("key", "1");
    const first = new Run(source.endpoint, [target.endpoint]);
    await first.said(/follows the source from/);
    expect(await new Run(source.endpoint, [target.endpoint, "--once"]).exit).toBe(0);
    await from.put("key", "2");
    expect(await first.exit).toBe(1);
    expect(first.err).toContain("another run has gone on with this migration");
  });

  it("says that it can be started again when a side is gone, and goes on from there", async () => {
    await using source = await startMember();
    await using target = await startMember();
    await using from = createClient({ endpoints: [source.endpoint] });
    for (const key of ["a", "b"]) await from.put(key, "1");
    const run = new Run(source.endpoint, [target.endpoint], { flags: ["--command-timeout=500ms"] });
    await run.said(/follows the source from/);
    await target.server.stop();
    await from.put("c", "1");
    expect(await run.exit).toBe(1);
    expect(run.err).toContain("nothing of what was copied is lost: start the same command again to go on");
    await target.restart();
    const again = new Run(source.endpoint, [target.endpoint, "--finish"]);
    expect({ exit: await again.exit, err: again.err }).toMatchObject({ exit: 0 });
    expect(again.err).toContain("copies 1 writes");
  });
});
