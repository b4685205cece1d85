import { execFile, spawnSync } from "node:child_process";
import { readFile, stat, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type ConnectionOptions, connect } from "node:tls";
import { runConclavectl } from "@conclave/cli";
import { type Client, createClient } from "@conclave/client";
import { createTestAuthority } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTlsCluster, type TlsCluster, type TlsFiles } from "./tls-cluster.ts";

const conclavectl = join(import.meta.dirname, "..", "..", "bin", "conclavectl");
const hasEtcdctl = spawnSync("etcdctl", ["version"], { env: { ...process.env, ETCDCTL_API: "3" } }).status === 0;

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
async function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const variables = { PATH: process.env.PATH, ETCDCTL_API: "3", ...env };
  return await new Promise((resolve) => {
    const child = execFile(command, args, { env: variables }, (_error, stdout, stderr) =>
      resolve({ status: child.exitCode, stdout, stderr }),
    );
  });
}

/** Runs `conclavectl` in this process, which is much faster. */
async function conclavectlHere(args: readonly string[]): Promise<Outcome> {
  let [stdout, stderr] = ["", ""];
  const status = await runConclavectl({
    args,
    env: {},
    stdin: Readable.from([]),
    out(text) {
      stdout += text;
    },
    err(text) {
      stderr += text;
    },
    interruption: () => new AbortController().signal,
  });
  return { status, stdout, stderr };
}

const flagsOf = ({ ca, clientCert, clientKey }: TlsFiles) => [
  `--cacert=${ca}`,
  `--cert=${clientCert}`,
  `--key=${clientKey}`,
];

/** A client whose certificates are followed as they change. */
function clientOf({ endpoints, files }: TlsCluster): Client {
  const { ca, clientCert, clientKey } = files;
  return createClient({
    endpoints,
    timeoutMs: 20_000,
    tls: { ca: { path: ca }, cert: { path: clientCert }, key: { path: clientKey } },
  });
}

/** The serial number of the certificate that is shown at an address, to somebody with a certificate or without. */
async function shownAt(endpoint: string, options: ConnectionOptions): Promise<string> {
  const [host = "", port] = endpoint.split(":");
  return await new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), ...options }, () => {
      resolve(socket.getPeerX509Certificate()?.serialNumber ?? "");
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

describe("three members that speak TLS to everybody", () => {
  let cluster: TlsCluster;
  beforeAll(async () => {
    cluster = await startTlsCluster({ kinds: ["conclave", "conclave", "conclave"] });
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  const commands = hasEtcdctl ? ["etcdctl", conclavectl] : [conclavectl];
  test.each(commands)("serve %s, by flags and by variables", async (command) => {
    const { files, members } = cluster;
    const endpoints = members.map(({ endpoint }) => endpoint).join();
    const key = `by ${command}`;
    const global = [`--endpoints=${endpoints}`, ...flagsOf(files)];
    expect(await run(command, [...global, "put", key, "1"])).toEqual({ status: 0, stdout: "OK\n", stderr: "" });
    const variables = {
      ETCDCTL_ENDPOINTS: cluster.endpoints.join(),
      ETCDCTL_CACERT: files.ca,
      ETCDCTL_CERT: files.clientCert,
      ETCDCTL_KEY: files.clientKey,
    };
    const got = await run(command, ["get", key], variables);
    expect(got).toEqual({ status: 0, stdout: `${key}\n1\n`, stderr: "" });
    const health = await run(command, ["endpoint", "health", "--cluster"], variables);
    expect(`${health.stdout}${health.stderr}`.match(/ is healthy/g)).toHaveLength(3);
  });

  test.each([
    ...(hasEtcdctl ? [["etcdctl", (args: readonly string[]) => run("etcdctl", args)] as const] : []),
    ["conclavectl", conclavectlHere] as const,
  ])("turn %s away without a certificate, and without trust in theirs", async (_name, command) => {
    const { files, members } = cluster;
    const global = [`--endpoints=${members[0]?.endpoint}`, "--command-timeout=1s", "--dial-timeout=1s"];
    const stranger = await createTestAuthority(cluster.directory, "stranger");
    for (const flags of [[`--cacert=${files.ca}`], [...flagsOf({ ...files, ca: stranger.certFile })]]) {
      const { status, stdout } = await command([...global, ...flags, "get", "by", "--prefix"]);
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    }
    for (const flags of [
      [`--cert=${files.clientCert}`],
      [`--key=${files.clientKey}`],
      ["--cacert=/nonexistent"],
      [...flagsOf({ ...files, clientKey: files.memberKey })],
      [`--cacert=${files.clientKey}`],
    ])
      expect(await command([...global, ...flags, "get", "by"])).toMatchObject({ status: 128, stdout: "" });
  });

  test("serve the gateway to curl and to node:https, with a certificate only", async () => {
    const { files, members } = cluster;
    const url = `https://${members[1]?.endpoint}/v3/kv/put`;
    const body = JSON.stringify({ key: "Yg==", value: "Yg==" });
    const curl = ["--silent", "--cacert", files.ca, "--data", body, url];
    const reply = await run("curl", ["--cert", files.clientCert, "--key", files.clientKey, ...curl]);
    expect(JSON.parse(reply.stdout)).toHaveProperty("header.revision");
    expect(await run("curl", curl)).toMatchObject({ status: expect.not.stringMatching(/^0$/), stdout: "" });
    const [ca, cert, key] = await Promise.all(
      [files.ca, files.clientCert, files.clientKey].map((path) => readFile(path)),
    );
    const version = await new Promise<string>((resolve, reject) => {
      const call = request(`https://${members[2]?.endpoint}/version`, { ca, cert, key, agent: false }, (response) => {
        response.setEncoding("utf8").once("data", resolve);
      });
      call.on("error", reject).end();
    });
    expect(JSON.parse(version)).toHaveProperty("etcdserver");
  });

  test("take a new authority, new certificates and a revocation under load, without a failed request", async () => {
    const { files, members, authority } = cluster;
    await using client = clientOf(cluster);
    const load = new Load(client);
    await load.does(50);
    const young = await createTestAuthority(cluster.directory, "young");
    const former = { cert: await readFile(files.clientCert), key: await readFile(files.clientKey) };
    // First everybody trusts both authorities, then shows what the new one has issued; then the old one goes.
    await writeFile(files.ca, authority.cert + young.cert);
    await load.does(50);
    const { member } = await cluster.renew(young);
    const trust = { ca: authority.cert + young.cert };
    for (const { endpoint } of members) expect(await shownAt(endpoint, trust)).toBe(member.serialNumber);
    await load.does(50);
    await writeFile(files.ca, young.cert);
    await load.does(50);
    expect(await load.stop()).toEqual([]);
    // Members meet again under the new certificates, as they would after a fault of the network.
    for (const each of members) {
      await each.kill("SIGTERM");
      await each.restart();
    }
    await client.put("load", "after");
    await using late = createClient({
      endpoints: cluster.endpoints,
      timeoutMs: 2_000,
      tls: { ca: young.cert, ...former },
    });
    await expect(late.get("load")).rejects.toMatchObject({ code: expect.stringMatching(/UNAVAILABLE|TIMEOUT/) });
  });

  test("let nobody in any more who was revoked a moment ago", async () => {
    const { files, members, directory } = cluster;
    const issuer = await createTestAuthority(directory, "revoking");
    const young = await readFile(files.ca, "utf8");
    await writeFile(files.ca, young + issuer.cert);
    const { cert, key, serialNumber } = await issuer.issue("mallory", { commonName: "mallory" });
    const tls = { ca: young, cert, key };
    await using before = createClient({ endpoints: cluster.endpoints, tls });
    await before.put("mallory", "was here");
    await writeFile(files.crl, (await issuer.revoke(serialNumber)).pem);
    await using after = createClient({ endpoints: cluster.endpoints, tls, timeoutMs: 2_000 });
    await expect(after.get("mallory")).rejects.toMatchObject({ code: expect.stringMatching(/UNAVAILABLE|TIMEOUT/) });
    expect(members.map(({ log }) => log).join("")).toContain(`certificate serial ${serialNumber} revoked`);
  });
});

/** Puts one after the other, as fast as they are answered, and keeps what went wrong. */
class Load {
  readonly #client: Client;
  readonly #errors: unknown[] = [];
  readonly #workers: readonly Promise<void>[];
  #done = 0;
  #stopped = false;

  constructor(client: Client) {
    this.#client = client;
    this.#workers = [1, 2, 3, 4].map((worker) => this.#work(worker));
  }

  /** Resolves after so many more requests. */
  async does(count: number): Promise<void> {
    const target = this.#done + count;
    await expect.poll(() => this.#done, { timeout: 30_000 }).toBeGreaterThanOrEqual(target);
  }

  /** Ends; resolves with the errors of all requests. */
  async stop(): Promise<readonly unknown[]> {
    this.#stopped = true;
    await Promise.all(this.#workers);
    return this.#errors;
  }

  async #work(worker: number): Promise<void> {
    while (!this.#stopped) {
      const call = worker % 2 === 0 ? this.#client.get("load") : this.#client.put(`load/${worker}`, `${this.#done}`);
      await call.catch((error: unknown) => this.#errors.push(error));
      this.#done++;
    }
  }
}

test("members with certificates of their own making talk to each other and to clients that take any", async () => {
  const flags = ["--auto-tls", "--peer-auto-tls", "--self-signed-cert-validity=2"];
  await using cluster = await startTlsCluster({ kinds: ["conclave", "conclave"], flags });
  const [first, second] = cluster.members;
  const trusting = [`--endpoints=${first?.endpoint}`, "--insecure-transport=false", "--insecure-skip-tls-verify"];
  expect(await conclavectlHere([...trusting, "put", "a", "b"])).toEqual({ status: 0, stdout: "OK\n", stderr: "" });
  if (hasEtcdctl) expect(await run("etcdctl", [...trusting, "get", "a"])).toMatchObject({ stdout: "a\nb\n" });
  const strict = [`--endpoints=${first?.endpoint}`, "--insecure-transport=false", "--command-timeout=1s"];
  expect(await conclavectlHere([...strict, "get", "a"])).toMatchObject({ status: 1, stdout: "" });
  const fixtures = join(first?.dataDir ?? "", "fixtures", "client");
  expect((await stat(join(fixtures, "key.pem"))).mode & 0o777).toBe(0o600);
  const ca = await readFile(join(fixtures, "cert.pem"), "utf8");
  const serial = await shownAt(first?.endpoint ?? "", { ca });
  await first?.kill("SIGTERM");
  await first?.restart();
  expect(await shownAt(first?.endpoint ?? "", { ca })).toBe(serial);
  await using client = createClient({ endpoints: `https://${first?.endpoint}`, tls: { ca } });
  expect((await client.get("a"))?.value).toBeDefined();
  expect(second?.exit).toBeUndefined();
});
