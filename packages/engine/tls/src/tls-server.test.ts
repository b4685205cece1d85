import { rename, symlink, unlink, writeFile } from "node:fs/promises";
import { connect as connectPlain } from "node:net";
import { join } from "node:path";
import { connect } from "node:tls";
import { createTestAuthority, type IssuedCertificate, type IssueOptions, type TestAuthority } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestServer, temporaryDirectory, visit } from "./testing/tls-pair.ts";
import { createTlsServer } from "./tls-server.ts";
import type { TlsSettings } from "./tls-settings.ts";

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let authority: TestAuthority;
let stranger: TestAuthority;
let server: IssuedCertificate;
let plain: TlsSettings;
let mutual: TlsSettings;

beforeAll(async () => {
  directory = await temporaryDirectory();
  authority = await createTestAuthority(directory.path);
  stranger = await createTestAuthority(directory.path, "stranger");
  server = await authority.issue("server", { commonName: "server" });
  plain = { certFile: server.certFile, keyFile: server.keyFile };
  mutual = { ...plain, clientCertAuth: true, trustedCaFile: authority.certFile };
});
afterAll(() => directory[Symbol.asyncDispose]());

const fileOf = (name: string) => join(directory.path, name);
const log = { warn: () => undefined };

describe("without client certificates", () => {
  test("a client that trusts the authority is served, with the newest version", async () => {
    await using running = await startTestServer({ settings: plain });
    expect(await visit(running.port, { ca: authority.cert })).toEqual({
      said: "hello",
      serial: server.serialNumber,
      protocol: "TLSv1.3",
    });
    expect(running.secured[0]?.certificate).toBeUndefined();
  });

  test.each(["TLSv1", "TLSv1.1"] as const)("%s is refused", async (version) => {
    await using running = await startTestServer({ settings: plain });
    const ciphers = "DEFAULT:@SECLEVEL=0";
    const old = { ca: authority.cert, minVersion: version, maxVersion: version, ciphers };
    expect(await visit(running.port, old)).toHaveProperty("refused");
    await running.logged(1);
    expect(running.lines[0]).toMatchObject({ message: "rejected connection" });
  });

  test("the newest version can be limited, and the oldest", async () => {
    await using older = await startTestServer({ settings: { ...plain, maxVersion: "TLS1.2" } });
    expect(await visit(older.port, { ca: authority.cert })).toMatchObject({ protocol: "TLSv1.2" });
    await using newer = await startTestServer({ settings: { ...plain, minVersion: "TLS1.3" } });
    expect(await visit(newer.port, { ca: authority.cert, maxVersion: "TLSv1.2" })).toHaveProperty("refused");
  });

  test("only the cipher suites that were chosen are spoken", async () => {
    const cipherSuites = ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"];
    await using running = await startTestServer({ settings: { ...plain, cipherSuites } });
    const with12 = { ca: authority.cert, maxVersion: "TLSv1.2" } as const;
    expect(await visit(running.port, { ...with12, ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384" })).toHaveProperty("said");
    expect(await visit(running.port, { ...with12, ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" })).toHaveProperty(
      "refused",
    );
    expect(await visit(running.port, { ca: authority.cert })).toMatchObject({ protocol: "TLSv1.3" });
  });

  test("a key in the older form and a chain through an intermediate authority are taken", async () => {
    const below = await authority.intermediate("intermediate");
    const issued = await below.issue("below");
    const keyFile = fileOf("below-sec1.pem");
    await writeFile(keyFile, issued.ecKey);
    await using running = await startTestServer({ settings: { certFile: issued.certFile, keyFile } });
    expect(await visit(running.port, { ca: authority.cert })).toMatchObject({ serial: issued.serialNumber });
  });

  test("plaintext ends with one line in the log, however often it comes", async () => {
    await using running = await startTestServer({ settings: plain });
    for (let count = 0; count < 3; count++) {
      await new Promise((resolve) => {
        const socket = connectPlain(running.port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\n\r\n"));
        socket.on("error", () => undefined).once("close", resolve);
      });
    }
    expect(running.lines.map(({ message }) => message)).toEqual(["rejected connection"]);
    expect(running.lines[0]?.fields.error).toBe("tls: the connection is not encrypted, and this URL is for TLS");
  });

  test("a client that does not shake hands in time is ended", async () => {
    await using running = await startTestServer({ settings: plain, handshakeTimeoutMs: 50 });
    const socket = connectPlain(running.port, "127.0.0.1");
    await new Promise((resolve) => void socket.on("error", () => undefined).once("close", resolve));
    expect(running.lines[0]?.fields.error).toMatch(/handshake timeout/i);
  });

  test("a client that hangs up during the handshake is not waited for", async () => {
    await using running = await startTestServer({ settings: plain });
    const socket = connectPlain(running.port, "127.0.0.1", () => socket.end());
    await new Promise((resolve) => void socket.on("error", () => undefined).once("close", resolve));
    await running.logged(1);
    expect(running.lines[0]?.fields).toMatchObject({ error: "the client hung up during the handshake" });
  });

  test("a session is not resumed: every client is verified anew", async () => {
    await using running = await startTestServer({ settings: plain });
    const session = await new Promise<Buffer | undefined>((resolve) => {
      const socket = connect({ port: running.port, host: "127.0.0.1", ca: authority.cert });
      socket
        .once("session", resolve)
        .once("close", () => resolve(undefined))
        .resume();
    });
    const reused = await new Promise((resolve) => {
      const options = { port: running.port, host: "127.0.0.1", ca: authority.cert, ...(session && { session }) };
      const socket = connect(options, () => resolve(socket.isSessionReused()));
      socket.resume();
    });
    expect(reused).toBe(false);
  });

  test("further connections are ended while too many handshakes are under way", async () => {
    await using running = await startTestServer({ settings: plain, handshakesMax: 1 });
    const silent = connectPlain(running.port, "127.0.0.1");
    await new Promise((resolve) => void silent.once("connect", resolve));
    expect(await visit(running.port, { ca: authority.cert })).toHaveProperty("refused");
    expect(running.lines[0]?.fields.error).toBe("too many handshakes are under way");
    silent.destroy();
    await new Promise((resolve) => void silent.once("close", resolve));
    await expect.poll(() => visit(running.port, { ca: authority.cert })).toHaveProperty("said");
  });
});

describe("client certificates", () => {
  const issueFor: Readonly<Record<string, IssueOptions>> = {
    expired: { fromDays: -3, untilDays: -2 },
    "not valid yet": { fromDays: 2 },
    "for servers only": { usage: "server" },
  };

  async function visitMutual(client: IssuedCertificate, settings: Partial<TlsSettings> = {}) {
    await using running = await startTestServer({ settings: { ...mutual, ...settings } });
    const { cert, key } = client;
    const outcome = await visit(running.port, { ca: authority.cert, cert, key });
    return { outcome, certificate: running.secured[0]?.certificate, reason: running.lines[0]?.fields.error };
  }

  test("one of the authority is let in, and its common name is told", async () => {
    const client = await authority.issue("client", { commonName: "alice" });
    const { outcome, certificate } = await visitMutual(client);
    expect(outcome).toHaveProperty("said");
    expect(certificate).toEqual({ commonName: "alice", serialNumber: client.serialNumber });
  });

  test("naming the authorities is enough to demand one, as in etcd", async () => {
    await using running = await startTestServer({ settings: { ...plain, trustedCaFile: authority.certFile } });
    expect(await visit(running.port, { ca: authority.cert })).toHaveProperty("refused");
    expect(running.lines[0]?.fields.error).toBe("tls: client didn't provide a certificate");
  });

  test("but not to take whom it names for the one who calls, as in etcd", async () => {
    const { outcome, certificate } = await visitMutual(await authority.issue("root"), { clientCertAuth: false });
    expect(outcome).toHaveProperty("said");
    expect(certificate).toBeUndefined();
  });

  test.each(Object.entries(issueFor))("one that is %s is refused", async (name, options) => {
    const client = await authority.issue(name.replaceAll(" ", "-"), options);
    const { outcome, certificate, reason } = await visitMutual(client);
    expect(outcome).toHaveProperty("refused");
    expect(certificate).toBeUndefined();
    expect(reason).toMatch("tls: failed to verify certificate");
  });

  test("one of another authority and one that is signed by itself are refused", async () => {
    const foreign = await stranger.issue("foreign", { commonName: "alice" });
    expect((await visitMutual(foreign)).outcome).toHaveProperty("refused");
    const alone = await createTestAuthority(directory.path, "alone");
    const own = await alone.issue("own", { commonName: "alice" });
    expect((await visitMutual({ ...own, cert: own.cert + alone.cert })).outcome).toHaveProperty("refused");
  });

  test("only allowed common names are let in; of several names in a subject the last counts", async () => {
    const allowedCommonNames = ["alice", "bob"];
    const bob = await authority.issue("bob", { commonName: "bob" });
    expect((await visitMutual(bob, { allowedCommonNames })).outcome).toHaveProperty("said");
    for (const commonName of ["mallory", "bob, CN=mallory", '\\"bob\\"', "alice\\, bob"]) {
      const other = await authority.issue("other", { commonName });
      const { outcome, reason } = await visitMutual(other, { allowedCommonNames });
      expect(outcome, commonName).toHaveProperty("refused");
      expect(reason).toBe("client certificate authentication failed");
    }
  });

  test("only certificates for an allowed host are let in; a common name is no host", async () => {
    const allowedHostnames = ["m1.example.com"];
    const right = await authority.issue("right", { hosts: ["m1.example.com"] });
    const wild = await authority.issue("wild", { hosts: ["*.example.com"] });
    const wrong = await authority.issue("wrong", { hosts: ["m2.example.com"], commonName: "m1.example.com" });
    const none = await authority.issue("none", { hosts: [], commonName: "m1.example.com" });
    expect((await visitMutual(right, { allowedHostnames })).outcome).toHaveProperty("said");
    expect((await visitMutual(wild, { allowedHostnames })).outcome).toHaveProperty("said");
    expect((await visitMutual(wrong, { allowedHostnames })).outcome).toHaveProperty("refused");
    expect((await visitMutual(none, { allowedHostnames })).outcome).toHaveProperty("refused");
  });
});

describe("revocation", () => {
  test.each(["pem", "der"] as const)("a certificate in a list in %s is refused, any other let in", async (form) => {
    const [good, bad] = [await authority.issue("good"), await authority.issue("bad")];
    const crlFile = fileOf(`crl.${form}`);
    await writeFile(crlFile, (await authority.revoke(bad.serialNumber))[form]);
    await using running = await startTestServer({ settings: { ...mutual, crlFile } });
    expect(await visit(running.port, { ca: authority.cert, ...good })).toHaveProperty("said");
    expect(await visit(running.port, { ca: authority.cert, ...bad })).toHaveProperty("refused");
    expect(running.lines[0]?.fields.error).toBe(`transport: certificate serial ${bad.serialNumber} revoked`);
  });

  test("the list of one authority says nothing of another's certificates, and several may share a file", async () => {
    const both = fileOf("both.pem");
    await writeFile(both, authority.cert + stranger.cert);
    const [ours, theirs] = [await authority.issue("ours"), await stranger.issue("theirs")];
    const crlFile = fileOf("foreign-crl.pem");
    const settings = { ...mutual, trustedCaFile: both, crlFile };
    await writeFile(crlFile, (await stranger.revoke(ours.serialNumber)).pem);
    await using running = await startTestServer({ settings });
    expect(await visit(running.port, { ca: authority.cert, ...ours })).toHaveProperty("said");
    const lists = [await stranger.revoke(theirs.serialNumber), await authority.revoke(ours.serialNumber)];
    await writeFile(crlFile, lists.map(({ pem }) => pem).join(""));
    expect(await visit(running.port, { ca: authority.cert, ...ours })).toHaveProperty("refused");
    expect(await visit(running.port, { ca: authority.cert, ...theirs })).toHaveProperty("refused");
  });

  test("a revoked intermediate authority takes along what it has issued", async () => {
    const below = await authority.intermediate("fallen");
    const client = await below.issue("of-the-fallen");
    const crlFile = fileOf("fallen-crl.pem");
    const { X509Certificate } = await import("node:crypto");
    await writeFile(crlFile, (await authority.revoke(new X509Certificate(below.cert).serialNumber)).pem);
    await using running = await startTestServer({ settings: { ...mutual, crlFile } });
    expect(await visit(running.port, { ca: authority.cert, ...client })).toHaveProperty("refused");
  });

  test("while the list cannot be read nobody is let in", async () => {
    const client = await authority.issue("before");
    const crlFile = fileOf("going-crl.pem");
    await writeFile(crlFile, (await authority.revoke()).pem);
    await using running = await startTestServer({ settings: { ...mutual, crlFile } });
    expect(await visit(running.port, { ca: authority.cert, ...client })).toHaveProperty("said");
    await writeFile(crlFile, "garbage");
    expect(await visit(running.port, { ca: authority.cert, ...client })).toHaveProperty("refused");
    await unlink(crlFile);
    expect(await visit(running.port, { ca: authority.cert, ...client })).toHaveProperty("refused");
  });
});

describe("files that change", () => {
  test("a certificate is shown as soon as it is there, also behind a symbolic link", async () => {
    const [first, second] = [await authority.issue("first"), await authority.issue("second")];
    const [certFile, keyFile] = [fileOf("current.pem"), fileOf("current-key.pem")];
    await symlink(first.certFile, certFile);
    await symlink(first.keyFile, keyFile);
    await using running = await startTestServer({ settings: { certFile, keyFile } });
    expect(await visit(running.port, { ca: authority.cert })).toMatchObject({ serial: first.serialNumber });
    for (const [target, path] of [
      [second.certFile, certFile],
      [second.keyFile, keyFile],
    ] as const) {
      await symlink(target, `${path}.new`);
      await rename(`${path}.new`, path);
    }
    expect(await visit(running.port, { ca: authority.cert })).toMatchObject({ serial: second.serialNumber });
  });

  test("half a replacement changes nothing yet, and is told of once", async () => {
    const [first, second] = [await authority.issue("half-first"), await authority.issue("half-second")];
    const settings = { certFile: first.certFile, keyFile: first.keyFile };
    await using running = await startTestServer({ settings });
    await writeFile(first.certFile, second.cert);
    for (let count = 0; count < 2; count++)
      expect(await visit(running.port, { ca: authority.cert })).toMatchObject({ serial: first.serialNumber });
    expect(running.lines).toHaveLength(1);
    await writeFile(first.keyFile, second.key);
    expect(await visit(running.port, { ca: authority.cert })).toMatchObject({ serial: second.serialNumber });
  });

  test("an authority that is trusted no more loses its clients, the new one's are let in", async () => {
    const [old, young] = [await authority.issue("old"), await stranger.issue("young")];
    const trustedCaFile = fileOf("trusted.pem");
    await writeFile(trustedCaFile, authority.cert);
    await using running = await startTestServer({ settings: { ...mutual, trustedCaFile } });
    expect(await visit(running.port, { ca: authority.cert, ...old })).toHaveProperty("said");
    await writeFile(trustedCaFile, stranger.cert);
    expect(await visit(running.port, { ca: authority.cert, ...old })).toHaveProperty("refused");
    expect(await visit(running.port, { ca: authority.cert, ...young })).toHaveProperty("said");
  });
});

describe("the address of whoever connects", () => {
  const namesOfLoopback = ["m1.example.com"];
  const resolver = {
    addressesOf: async (name: string) => (name === "m1.example.com" ? ["127.0.0.1"] : ["192.0.2.1"]),
    namesOf: async () => namesOfLoopback,
  };

  test.each([
    ["names its address", ["127.0.0.1"], true],
    ["names a host with its address", ["m1.example.com"], true],
    ["names the domain of its host", ["*.example.com"], true],
    ["names nothing", [], true],
    ["names another address", ["192.0.2.1"], false],
    ["names another host", ["m2.example.com"], false],
    ["names another domain", ["*.example.org"], false],
    ["names another address, but its host too", ["192.0.2.1", "m1.example.com"], true],
  ] as const)("is compared with a certificate that %s", async (_what, hosts, isLetIn) => {
    const { cert, key } = await authority.issue("peer", { hosts });
    await using running = await startTestServer({ settings: mutual, checkClientAddress: true, resolver });
    expect(await visit(running.port, { ca: authority.cert, cert, key })).toHaveProperty(isLetIn ? "said" : "refused");
  });
});

describe("a start is refused with one line", () => {
  const refusal = async (settings: Partial<TlsSettings>) =>
    await createTlsServer({ settings: { ...plain, ...settings }, log }).then(
      () => "accepted",
      (error: Error) => `${error.name}: ${error.message}`,
    );

  test("for a file that is missing, damaged or of another certificate", async () => {
    expect(await refusal({ certFile: "/nonexistent" })).toMatch('TlsError: Cannot read "/nonexistent": ENOENT');
    const damaged = fileOf("damaged.pem");
    await writeFile(damaged, server.cert.replace(/\n[A-Za-z0-9+/]{10}/, "\nAAAAAAAAAA"));
    expect(await refusal({ certFile: damaged })).toMatch("it is damaged");
    expect(await refusal({ trustedCaFile: damaged })).toMatch("it is damaged");
    expect(await refusal({ trustedCaFile: server.keyFile })).toMatch("Cannot find a certificate in");
    expect(await refusal({ crlFile: server.certFile })).toMatch("Cannot read a revocation list in");
    const other = await authority.issue("elsewhere");
    expect(await refusal({ keyFile: other.keyFile })).toMatch("Cannot use the certificate");
  });

  test("for options that cannot be", async () => {
    expect(await refusal({ certFile: "" })).toMatch("KeyFile and CertFile must both be present");
    expect(await refusal({ minVersion: "TLS1.1" })).toBe('TlsError: unexpected TLS version "TLS1.1"');
    expect(await refusal({ minVersion: "TLS1.3", maxVersion: "TLS1.2" })).toMatch("is greater than max version");
    expect(await refusal({ cipherSuites: ["AES128-SHA"] })).toBe('TlsError: unexpected TLS cipher suite "AES128-SHA"');
    const cipherSuites = ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"];
    expect(await refusal({ cipherSuites, minVersion: "TLS1.3" })).toMatch("may not be configured");
    expect(await refusal({ allowedCommonNames: ["a"], allowedHostnames: ["b"] })).toMatch("mutually exclusive");
  });
});
