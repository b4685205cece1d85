import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGrpcTransport, type TlsOptions, type TransportError } from "@conclave/client";
import { createRpcServer, type RpcServer } from "@conclave/rpc";
import { createTestAuthority, type TestAuthority } from "@conclave/testkit";
import { createTlsServer, type TlsSettings } from "@conclave/tls";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

/** Node warns, once, of whoever asks for an address as if it were a name; endpoints may be addresses nevertheless. */
const warnings = vi.spyOn(process, "emitWarning");

let directory: string;
let authority: TestAuthority;
const path = (name: string) => join(directory, name);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "conclave-client-tls-"));
  authority = await createTestAuthority(directory);
  await authority.issue("server", { hosts: ["127.0.0.1"] });
  await authority.issue("client", { commonName: "alice", hosts: [] });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** A server without services: that a call is answered UNIMPLEMENTED shows that it has arrived. */
async function startTlsServer(settings: Partial<TlsSettings> = {}): Promise<RpcServer & { readonly url: string }> {
  const files = { certFile: path("server.pem"), keyFile: path("server-key.pem") };
  const tls = await createTlsServer({ settings: { ...files, ...settings }, log: { warn: () => undefined } });
  const server = createRpcServer({ services: [], tls });
  const [url = ""] = await server.listen("https://127.0.0.1:0");
  return Object.assign(server, { url });
}

async function outcome(url: string, tls: TlsOptions): Promise<string> {
  const transport = createGrpcTransport({ tls, connectTimeoutMs: 1_500 });
  try {
    return await callOf(transport, url);
  } finally {
    transport.close();
  }
}

async function callOf(transport: ReturnType<typeof createGrpcTransport>, endpoint: string): Promise<string> {
  const signal = new AbortController().signal;
  const call = { endpoint, path: "/a/b", request: new Uint8Array(), metadata: {}, timeoutMs: 5_000, signal };
  return await transport.unary(call).then(
    () => "answered",
    (error: TransportError) => (error.sent ? "arrived" : "not connected"),
  );
}

describe("TLS of the client", () => {
  test("PEM as text, as bytes and in a file mean the same", async () => {
    const server = await startTlsServer({ trustedCaFile: authority.certFile, clientCertAuth: true });
    const bytes = (name: string) => readFile(path(name));
    const [cert, key] = [await bytes("client.pem"), await bytes("client-key.pem")];
    expect(await outcome(server.url, { ca: authority.cert, cert, key })).toBe("arrived");
    const files = {
      ca: { path: authority.certFile },
      cert: { path: path("client.pem") },
      key: { path: path("client-key.pem") },
    };
    expect(await outcome(server.url, files)).toBe("arrived");
    expect(await outcome(server.url, { ca: authority.cert })).toBe("not connected");
    expect(warnings).not.toHaveBeenCalled();
    await server.close({ graceMs: 0 });
  });

  test("a member of another authority or name is not talked to, unless nothing is verified", async () => {
    const stranger = await createTestAuthority(directory, "stranger");
    const other = await authority.issue("other", { hosts: ["m1.example.com"], commonName: "127.0.0.1" });
    const server = await startTlsServer();
    expect(await outcome(server.url, { ca: stranger.cert })).toBe("not connected");
    expect(await outcome(server.url, { ca: stranger.cert, insecureSkipVerify: true })).toBe("arrived");
    await server.close({ graceMs: 0 });
    const named = await startTlsServer({ certFile: other.certFile, keyFile: other.keyFile });
    expect(await outcome(named.url, { ca: authority.cert })).toBe("not connected");
    expect(await outcome(named.url, { ca: authority.cert, serverName: "m1.example.com" })).toBe("arrived");
    await named.close({ graceMs: 0 });
  });

  test("files are read again when they have changed; streams that are open stay", async () => {
    const young = await createTestAuthority(directory, "young");
    const caFile = path("changing.pem");
    await writeFile(caFile, authority.cert);
    const [old, server] = [await startTlsServer(), await startTlsServer(await young.issue("young-server"))];
    const transport = createGrpcTransport({ tls: { ca: { path: caFile } }, connectTimeoutMs: 1_500 });
    expect(await callOf(transport, old.url)).toBe("arrived");
    expect(await callOf(transport, server.url)).toBe("not connected");
    await writeFile(caFile, young.cert);
    await expect.poll(() => callOf(transport, server.url), { timeout: 10_000 }).toBe("arrived");
    transport.close();
    await Promise.all([old.close({ graceMs: 0 }), server.close({ graceMs: 0 })]);
  });

  test("a renewed certificate of one's own is shown without a restart, also when its key comes a moment later", async () => {
    const young = await createTestAuthority(directory, "renewing");
    const renewed = await young.issue("renewed", { commonName: "alice", hosts: [] });
    const server = await startTlsServer({ trustedCaFile: young.certFile, clientCertAuth: true });
    const [cert, key] = [{ path: path("own.pem") }, { path: path("own-key.pem") }];
    await writeFile(cert.path, await readFile(path("client.pem")));
    await writeFile(key.path, await readFile(path("client-key.pem")));
    const transport = createGrpcTransport({ tls: { ca: authority.cert, cert, key }, connectTimeoutMs: 1_500 });
    expect(await callOf(transport, server.url)).toBe("not connected");
    await writeFile(cert.path, await readFile(renewed.certFile));
    // Looked at while the two do not fit: what was loaded stays.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(await callOf(transport, server.url)).toBe("not connected");
    await writeFile(key.path, await readFile(renewed.keyFile));
    await expect.poll(() => callOf(transport, server.url), { timeout: 10_000 }).toBe("arrived");
    transport.close();
    await server.close({ graceMs: 0 });
  });

  test("what cannot be read or makes no sense is refused at once", () => {
    const refused = (tls: TlsOptions) => () => createGrpcTransport({ tls });
    expect(refused({ ca: { path: "/nonexistent" } })).toThrow(/Cannot use the options of TLS: ENOENT/);
    expect(refused({ cert: "nonsense", key: "nonsense" })).toThrow(/Cannot use the options of TLS/);
    expect(refused({ cert: authority.cert })).toThrow(/Cannot use the options of TLS/);
    expect(refused({ ca: "nonsense" })).toThrow("Cannot use the options of TLS: 'ca' holds no certificate");
  });
});
