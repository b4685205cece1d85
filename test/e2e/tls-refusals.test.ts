/**
 * @module Who is not let in where connections are encrypted. Each stranger comes to the client port over gRPC, the JSON
 * gateway and bare TLS, and to the peer port over HTTP and bare TLS; all are turned away before they have seen a byte.
 */
import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { connect as connectPlain } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect } from "node:tls";
import { createClient, createGrpcTransport } from "@conclave/client";
import { RangeRequest } from "@conclave/protocol/etcdserverpb";
import type { MemberConfigInput } from "@conclave/server";
import {
  createTestAuthority,
  freePorts,
  type IssuedCertificate,
  type IssueOptions,
  startMember,
  type TestAuthority,
  type TestMember,
} from "@conclave/testkit";
import { ensureSelfSigned } from "@conclave/tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordedLog } from "./recorded-log.ts";

const secret = "what nobody else may read";
/** Long enough for a member of a busy machine, short of what a test may take. */
const patienceMs = 10_000;

type Pair = Pick<IssuedCertificate, "cert" | "key"> | undefined;

let directory: string;
let authority: TestAuthority;
let good: IssuedCertificate;
/** What a stranger shows, by what is wrong with it. */
const shown = new Map<string, Pair>();

/** What is wrong with a certificate, and why the log says that it was refused. */
const badCertificates: readonly (readonly [string, RegExp])[] = [
  ["none", /didn't provide a certificate/],
  ["expired", /CERT_HAS_EXPIRED/],
  ["not valid yet", /CERT_NOT_YET_VALID/],
  ["for servers only", /INVALID_PURPOSE/],
  ["signed by itself", /DEPTH_ZERO_SELF_SIGNED_CERT/],
  ["of another authority", /UNABLE_TO_GET_ISSUER_CERT_LOCALLY|UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
  ["of an authority of the same name", /CERT_SIGNATURE_FAILURE|UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
  ["without its intermediate authority", /UNABLE_TO_GET_ISSUER_CERT_LOCALLY|UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
  ["outside what its authority may issue", /breaks a constraint of one of its authorities/],
  ["revoked", /^transport: certificate serial [0-9A-F]+ revoked$/],
  ["of a revoked authority", /^transport: certificate serial [0-9A-F]+ revoked$/],
];
const badNames: readonly (readonly [string, RegExp])[] = [
  ["for another host", /client certificate authentication failed|is valid for 192\.0\.2\.1, not 127\.0\.0\.1/],
];

async function issueBad(): Promise<string> {
  const stranger = await createTestAuthority(directory, "stranger");
  const impostor = await createTestAuthority(await mkdtemp(join(directory, "impostor-")), "authority");
  const [below, fenced, fallen] = [
    await authority.intermediate("below"),
    await authority.intermediate("fenced", "example.com"),
    await authority.intermediate("fallen"),
  ];
  const peer: IssueOptions = { commonName: "peer" };
  const alone = await ensureSelfSigned({
    directory: join(directory, "alone"),
    hosts: ["127.0.0.1"],
    ...{ validityYears: 1, forClient: true, nowMs: Date.now() },
  });
  const own = { cert: await readFile(alone.certFile, "utf8"), key: await readFile(alone.keyFile, "utf8") };
  const lost = await below.issue("lost", peer);
  const [leaf = ""] = lost.cert.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n?/) ?? [];
  const revoked = await authority.issue("revoked", peer);
  const pairs: Readonly<Record<string, Pair>> = {
    none: undefined,
    expired: await authority.issue("expired", { ...peer, fromDays: -3, untilDays: -2 }),
    "not valid yet": await authority.issue("young", { ...peer, fromDays: 2 }),
    "for servers only": await authority.issue("server-only", { ...peer, usage: "server" }),
    "signed by itself": own,
    "of another authority": await stranger.issue("foreign", peer),
    "of an authority of the same name": await impostor.issue("false", peer),
    "without its intermediate authority": { cert: leaf, key: lost.key },
    "outside what its authority may issue": await fenced.issue("outside", { ...peer, hosts: ["localhost"] }),
    revoked,
    "of a revoked authority": await fallen.issue("of-the-fallen", peer),
    "for another host": await authority.issue("elsewhere", { ...peer, hosts: ["192.0.2.1"] }),
    "with another name": await authority.issue("other-name", { commonName: "mallory" }),
  };
  for (const [what, pair] of Object.entries(pairs)) shown.set(what, pair);
  const { pem } = await authority.revoke(revoked.serialNumber, new X509Certificate(fallen.cert).serialNumber);
  const crlFile = join(directory, "crl.pem");
  await writeFile(crlFile, pem);
  return crlFile;
}

interface Fortress extends AsyncDisposable {
  readonly client: string;
  readonly peer: string;
  readonly reasons: () => readonly string[];
  readonly text: () => string;
  readonly member: TestMember;
}

/** A member that wants certificates on both ports, and one key in it. */
async function startFortress(config: MemberConfigInput): Promise<Fortress> {
  const [clientPort, peerPort] = await freePorts(2);
  const [client, peer] = [`127.0.0.1:${clientPort}`, `127.0.0.1:${peerPort}`];
  const { certFile, keyFile } = good;
  const recorded = recordedLog();
  const member = await startMember({
    log: recorded.log,
    config: {
      listenClientUrls: [`https://${client}`],
      advertiseClientUrls: [`https://${client}`],
      listenPeerUrls: [`https://${peer}`],
      initialAdvertisePeerUrls: [`https://${peer}`],
      ...{ certFile, keyFile, trustedCaFile: authority.certFile, clientCertAuth: true },
      peerCertFile: certFile,
      peerKeyFile: keyFile,
      peerTrustedCaFile: authority.certFile,
      peerClientCertAuth: true,
      ...config,
    },
  });
  const { cert, key } = good;
  await using owner = createClient({ endpoints: `https://${client}`, tls: { ca: authority.cert, cert, key } });
  await owner.put("secret", secret);
  return {
    ...{ client, peer, member, text: recorded.text },
    reasons: () => recorded.lines.flatMap(({ fields: { error } }) => (typeof error === "string" ? [error] : [])),
    [Symbol.asyncDispose]: () => member[Symbol.asyncDispose](),
  };
}

type Way = (address: string, options: ConnectionOptions) => Promise<string>;

/** What a stranger gets to read: all that came, or nothing. */
const ways: Readonly<Record<string, Way>> = {
  async gRPC(address, { cert, key }) {
    const tls = { ca: authority.cert, ...(cert !== undefined && { cert: String(cert), key: String(key) }) };
    const transport = createGrpcTransport({ tls, connectTimeoutMs: patienceMs });
    const endpoint = `https://${address}`;
    const call = { endpoint, path: "/etcdserverpb.KV/Range", metadata: {}, timeoutMs: patienceMs };
    const bytes = RangeRequest.encode(RangeRequest.fromPartial({ key: Buffer.from("secret") })).finish();
    const { signal } = new AbortController();
    const answer = transport.unary({ ...call, request: bytes, signal });
    return await answer
      .then(
        (reply) => Buffer.from(reply).toString("latin1"),
        () => "",
      )
      .finally(() => transport.close());
  },
  async JSON(address, options) {
    const body = JSON.stringify({ key: Buffer.from("secret").toString("base64") });
    const reply = await ask(`https://${address}/v3/kv/range`, { method: "POST", body, options });
    return reply.replaceAll(/"value":"([^"]*)"/g, (_all, value: string) => Buffer.from(value, "base64").toString());
  },
  "bare TLS": (address, options) => converse(address, options, "GET /version HTTP/1.1\r\nHost: a\r\n\r\n"),
};

const peerWays: Readonly<Record<string, Way>> = {
  HTTP: (address, options) => ask(`https://${address}/members`, { method: "GET", body: "", options }),
  "bare TLS": (address, options) => converse(address, options, "POST /raft HTTP/1.1\r\nHost: a\r\n\r\n"),
};

/** The body of an answer; empty if there is none. */
async function ask(
  url: string,
  { method, body, options }: { readonly method: string; readonly body: string; readonly options: ConnectionOptions },
): Promise<string> {
  return await new Promise((resolve) => {
    const call = request(url, { method, ...options, agent: false, timeout: patienceMs }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("close", () => resolve(text));
    });
    call.on("error", () => resolve("")).on("timeout", () => call.destroy());
    call.end(body);
  });
}

/** What is said to somebody who says a line once the connection is encrypted. */
async function converse(address: string, options: ConnectionOptions, line: string): Promise<string> {
  return await new Promise((resolve) => {
    const [host = "", port] = address.split(":");
    const socket = connect({ host, port: Number(port), timeout: patienceMs, ...options });
    let heard = "";
    socket.once("secureConnect", () => socket.write(line));
    socket.on("data", (bytes) => {
      heard += bytes.toString("latin1");
      socket.end();
    });
    socket.on("timeout", () => socket.destroy()).on("error", () => undefined);
    socket.once("close", () => resolve(heard));
  });
}

/** Runs every case against one port, each way in; the log must name the reason. */
function refusals(
  cases: readonly (readonly [string, RegExp])[],
  by: {
    readonly fortress: () => Fortress;
    readonly port: "client" | "peer";
    readonly ways: Readonly<Record<string, Way>>;
  },
): void {
  const table = cases.flatMap(([what, reason]) =>
    Object.entries(by.ways).map(([way, go]) => ({ what, way, reason, go })),
  );
  test.each(table)("a certificate: $what, over $way", async ({ what, reason, go }) => {
    const fortress = by.fortress();
    const { cert, key } = shown.get(what) ?? {};
    expect(shown.has(what)).toBe(true);
    expect(await go(fortress[by.port], { ca: authority.cert, cert, key })).toBe("");
    await expect.poll(fortress.reasons).toContainEqual(expect.stringMatching(reason));
  });
}

const suites12 = ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"];
let mixed: Fortress;
let newest: Fortress;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "conclave-refusals-"));
  authority = await createTestAuthority(directory);
  good = await authority.issue("good", { commonName: "peer", hosts: ["127.0.0.1", "m1.example.com"] });
  const crlFile = await issueBad();
  const crls = { clientCrlFile: crlFile, peerCrlFile: crlFile };
  const names = { clientCertAllowedHostname: ["m1.example.com"], peerCertAllowedCn: ["peer"] };
  mixed = await startFortress({ ...crls, ...names, cipherSuites: suites12 });
  const peerNames = { peerCertAllowedHostname: ["m1.example.com"], peerSkipClientSanVerification: true };
  newest = await startFortress({ ...peerNames, tlsMinVersion: "TLS1.3" });
});
afterAll(async () => {
  await mixed[Symbol.asyncDispose]();
  await newest[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

describe("the client port", () => {
  test.each(Object.entries(ways))("lets the right certificate in, over %s", async (way, go) => {
    const answer = await go(mixed.client, { ca: authority.cert, cert: good.cert, key: good.key });
    expect(answer).toContain(way === "bare TLS" ? "HTTP/1.1 200" : secret);
  });
  refusals([...badCertificates, ...badNames], { fortress: () => mixed, port: "client", ways });
});

describe("the peer port", () => {
  test("lets the right certificate in", async () => {
    const { cert, key } = good;
    expect(await peerWays.HTTP?.(mixed.peer, { ca: authority.cert, cert, key })).toContain("clientURLs");
  });
  const another = ["with another name", /client certificate authentication failed/] as const;
  refusals([...badCertificates, ...badNames, another], { fortress: () => mixed, port: "peer", ways: peerWays });
});

describe("names of peers", () => {
  refusals([["with another name", /client certificate authentication failed/]], {
    ...{ fortress: () => newest, port: "peer", ways: peerWays },
  });
  test("the address is not looked at if that is not wanted, the allowed host name is", async () => {
    const { cert, key } = await authority.issue("roaming", { hosts: ["192.0.2.1", "m1.example.com"] });
    expect(await peerWays.HTTP?.(newest.peer, { ca: authority.cert, cert, key })).toContain("clientURLs");
  });
});

describe.each(["client", "peer"] as const)("the protocol, on the %s port", (port) => {
  const oldCiphers = "DEFAULT:@SECLEVEL=0";
  test.each<[string, ConnectionOptions, () => Fortress, RegExp]>([
    ["TLS 1.0", { maxVersion: "TLSv1", minVersion: "TLSv1", ciphers: oldCiphers }, () => mixed, /unsupported protocol/],
    [
      "TLS 1.1",
      { maxVersion: "TLSv1.1", minVersion: "TLSv1.1", ciphers: oldCiphers },
      () => mixed,
      /unsupported protocol/,
    ],
    ["TLS 1.2 where 1.3 is the least", { maxVersion: "TLSv1.2" }, () => newest, /unsupported protocol/],
    [
      "no common cipher suite",
      { maxVersion: "TLSv1.2", ciphers: "ECDHE-RSA-AES128-SHA" },
      () => mixed,
      /no shared cipher/,
    ],
    ["no common application protocol", { ALPNProtocols: ["smtp"] }, () => mixed, /no application protocol/],
  ])("%s is refused", async (_what, options, fortress, reason) => {
    const { cert, key } = good;
    const line = "GET /version HTTP/1.1\r\nHost: a\r\n\r\n";
    expect(await converse(fortress()[port], { ca: authority.cert, cert, key, ...options }, line)).toBe("");
    await expect.poll(fortress().reasons).toContainEqual(expect.stringMatching(reason));
  });

  test("renegotiation is refused", async () => {
    const { cert, key } = good;
    const [host = "", portNumber] = mixed[port].split(":");
    const options = { ca: authority.cert, cert, key, maxVersion: "TLSv1.2" } as const;
    const refusal = await new Promise((resolve) => {
      const socket = connect({ host, port: Number(portNumber), ...options }, () => {
        socket.renegotiate({}, (error) => resolve(error?.message));
      });
      socket.on("error", (error) => resolve(error.message));
    });
    expect(refusal).toMatch(/no renegotiation/);
  });

  test("plaintext is refused", async () => {
    const [host, portNumber] = mixed[port].split(":");
    for (const line of [
      "GET /version HTTP/1.1\r\nHost: a\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "\0\0\0\0\0\0\0\0",
    ]) {
      const heard = await new Promise((resolve) => {
        const socket = connectPlain({ host: host ?? "", port: Number(portNumber) }, () => socket.write(line));
        let bytes = "";
        socket.on("data", (chunk) => {
          // An alert is no answer (RFC 8446 §5.1).
          if (chunk[0] !== 21) bytes += chunk.toString("latin1");
        });
        socket.on("error", () => undefined).once("close", () => resolve(bytes));
      });
      expect(heard).toBe("");
    }
    await expect.poll(mixed.reasons).toContain("tls: the connection is not encrypted, and this URL is for TLS");
  });
});

test("TLS to ports without it ends with one line, however often it is tried", async () => {
  const recorded = recordedLog();
  const [port] = await freePorts(1);
  const peer = `http://127.0.0.1:${port}`;
  const config = { listenPeerUrls: [peer], initialAdvertisePeerUrls: [peer] };
  await using member = await startMember({ log: recorded.log, config });
  for (const address of [member.endpoint, peer.slice("http://".length)])
    for (let count = 0; count < 3; count++)
      expect(await converse(address, { ca: authority.cert }, "GET /version HTTP/1.1\r\n\r\n")).toBe("");
  const rejected = recorded.lines.filter(({ message }) => message === "rejected connection");
  expect(rejected.map(({ fields }) => fields.error ?? fields.cause)).toEqual([
    "tls: the connection is encrypted, and this URL is for plaintext",
    "it is encrypted, and this URL is for plaintext",
  ]);
});

test("the log tells of strangers, and of no secret", () => {
  for (const { text } of [mixed, newest]) {
    expect(text()).toContain("rejected connection");
    expect(text()).not.toMatch(/PRIVATE KEY|BEGIN CERTIFICATE/);
    expect(text()).not.toContain(secret);
    const keys = [...shown.values()].flatMap((pair) => pair?.key.split("\n").filter((line) => line.length > 40) ?? []);
    for (const line of keys) expect(text()).not.toContain(line);
  }
});
