/** @module Which URLs are for TLS, and what a member refuses to start with. */
import { getServers, setServers } from "node:dns/promises";
import { mkdtemp, rm } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { runConclavectl } from "@conclave/cli";
import { createClient } from "@conclave/client";
import type { MemberConfigInput } from "@conclave/server";
import { createTestAuthority, freePorts, startDnsServer, startMember, type TestAuthority } from "@conclave/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { recordedLog } from "./recorded-log.ts";

let directory: string;
let authority: TestAuthority;
let files: { readonly certFile: string; readonly keyFile: string };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "conclave-urls-"));
  authority = await createTestAuthority(directory);
  const { certFile, keyFile } = await authority.issue("server");
  files = { certFile, keyFile };
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test("http and https are served on one port, and on unix sockets of both kinds", async () => {
  const [port] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const sockets = ["unix", "unixs"].map((scheme) => `${scheme}://${join(directory, scheme)}.sock`);
  const urls = [`https://${address}`, `http://${address}`, ...sockets];
  const { log, lines } = recordedLog();
  await using member = await startMember({
    log,
    config: { listenClientUrls: urls, advertiseClientUrls: [`https://${address}`], ...files },
  });
  expect(member.server.clientUrls).toEqual(urls);
  for (const [at, endpoint] of urls.entries()) {
    await using client = createClient({ endpoints: endpoint, tls: { ca: authority.cert } });
    await client.put("count", `${at}`);
    expect((await client.get("count"))?.value).toBeDefined();
  }
  const warned = lines.filter(({ message }) => message.includes("the client URL is for plaintext"));
  expect(warned.map(({ fields }) => fields.url)).toEqual(urls.filter((url) => /^(http|unix):/.test(url)));
});

test("certificates that are given count more than --auto-tls", async () => {
  const { log, lines } = recordedLog();
  await using _member = await startMember({ log, config: { ...files, autoTls: true } });
  expect(lines.map(({ message }) => message)).toContain("ignoring --auto-tls, as certificates are given");
});

test("whom records of a domain name must show a certificate of the domain, with --insecure-discovery=false", async () => {
  const { certFile, keyFile } = await authority.issue("domain", { hosts: ["example.test"] });
  const [port = 0] = await freePorts(1);
  const urls = [`https://127.0.0.1:${port}`];
  const config = { listenClientUrls: urls, advertiseClientUrls: urls, certFile, keyFile };
  await using _member = await startMember({ config });
  const srv = { "_etcd-client-ssl._tcp.example.test": [{ name: "127.0.0.1", port }] };
  await using domainNames = await startDnsServer({ srv, addresses: {} });
  const before = getServers();
  askFrom([domainNames.address]);
  try {
    const flags = ["--discovery-srv=example.test", `--cacert=${authority.certFile}`, "--command-timeout=3s"];
    expect(await conclavectl([...flags, "--insecure-discovery=false", "put", "a", "b"])).toEqual({
      exit: 0,
      out: "OK\n",
      err: "",
    });
    expect(await conclavectl([...flags, "put", "a", "b"])).toMatchObject({ exit: 1, out: "" });
  } finally {
    askFrom(before);
  }
});

/** Makes this process ask other DNS servers, also through functions that were imported before. */
function askFrom(servers: readonly string[]): void {
  setServers(servers);
  syncBuiltinESMExports();
}

async function conclavectl(args: readonly string[]) {
  const shown = { out: "", err: "" };
  const exit = await runConclavectl({
    args,
    env: {},
    stdin: Readable.from([]),
    out(text) {
      shown.out += text;
    },
    err(text) {
      shown.err += text;
    },
    interruption: () => new AbortController().signal,
  });
  return { ...shown, exit };
}

test.each<[string, MemberConfigInput, RegExp]>([
  ["a URL for TLS without a certificate", { listenClientUrls: ["https://127.0.0.1:1"] }, /--cert-file, --key-file/],
  ["a peer URL for TLS without one", { listenPeerUrls: ["https://127.0.0.1:1"] }, /--peer-cert-file, --peer-key-file/],
  ["a cipher suite that there is not", { cipherSuites: ["TLS_NONE"] }, /unexpected TLS cipher suite "TLS_NONE"/],
  ["names of both kinds", { peerCertAllowedCn: ["a"], peerCertAllowedHostname: ["b"] }, /mutually exclusive/],
  ["a list that is not there", { clientCrlFile: "/nonexistent" }, /Cannot read "\/nonexistent"/],
  ["half a pair for dialling", { peerClientCertFile: "/nonexistent" }, /must both be present or both absent/],
  ["a validity of no year", { autoTls: true, selfSignedCertValidity: 0 }, /selfSignedCertValidity/],
])("a start with %s is refused in one line", async (_what, config, reason) => {
  const certificates = "listenClientUrls" in config ? {} : files;
  const started = startMember({ config: { ...certificates, ...config } });
  await expect(started).rejects.toThrow(reason);
  await expect(started).rejects.toThrow(/^[^\n]*$/);
});
