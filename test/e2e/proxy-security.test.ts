/** @module Proxies before a member with TLS and users: who is served, and that nobody is served what is another's. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prefixEnd, utf8 } from "@conclave/base";
import { createClient, createGrpcTransport, isConclaveError } from "@conclave/client";
import { startGateway } from "@conclave/proxy";
import {
  createTestAuthority,
  freePorts,
  type IssuedCertificate,
  startMember,
  type TestMember,
} from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { conclave } from "./conclave.ts";
import { ctl, type ProxyProcess, startGrpcProxyProcess } from "./proxies.ts";

let directory: string;
let caFile: string;
let certificates: Readonly<Record<"member" | "unnamed" | "root", IssuedCertificate>>;
let member: TestMember;
let memberEndpoint: string;
let proxy: ProxyProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "conclave-proxy-"));
  const authority = await createTestAuthority(directory);
  caFile = authority.certFile;
  const [memberCert, unnamed, root] = await Promise.all([
    authority.issue("member"),
    authority.issue("unnamed"),
    authority.issue("root", { commonName: "root" }),
  ]);
  certificates = { member: memberCert, unnamed, root };
  const [port] = await freePorts(1);
  memberEndpoint = `127.0.0.1:${port}`;
  const clientUrls = [`https://${memberEndpoint}`];
  const { certFile, keyFile } = memberCert;
  const tls = { certFile, keyFile, trustedCaFile: caFile, clientCertAuth: true };
  member = await startMember({ config: { listenClientUrls: clientUrls, advertiseClientUrls: clientUrls, ...tls } });
  proxy = await startGrpcProxyProcess([...upstreamFlags("unnamed"), ...downstreamFlags()]);
});
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await member?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** How a proxy reaches the member. */
function upstreamFlags(name: "unnamed" | "root"): readonly string[] {
  const { certFile, keyFile } = certificates[name];
  return [`--endpoints=${memberEndpoint}`, `--cacert=${caFile}`, `--cert=${certFile}`, `--key=${keyFile}`];
}

/** How a proxy serves clients. */
function downstreamFlags(): readonly string[] {
  const { certFile, keyFile } = certificates.member;
  return [`--cert-file=${certFile}`, `--key-file=${keyFile}`, `--trusted-ca-file=${caFile}`];
}

/** A client behind the proxy, with a certificate. */
function through({ endpoint }: { readonly endpoint: string }, name: "unnamed" | "root" = "unnamed", token?: string) {
  const { cert, key } = certificates[name];
  const transport = createGrpcTransport({ tls: { ca: { path: caFile }, cert, key } });
  const metadata = token === undefined ? {} : { token };
  return createClient({
    endpoints: [`https://${endpoint}`],
    transport: {
      unary: (call) => transport.unary({ ...call, metadata: { ...call.metadata, ...metadata } }),
      stream: (call, sink) => transport.stream({ ...call, metadata: { ...call.metadata, ...metadata } }, sink),
      close: () => transport.close(),
    },
  });
}

describe("TLS", () => {
  test("on both sides of the gRPC proxy, each with certificates of its own", async () => {
    await using client = through(proxy);
    await client.put("tls", "served");
    expect(await client.getString("tls")).toBe("served");
    expect(await (await fetch(`${proxy.httpUrl}/metrics`)).text()).toContain("\netcd_server_has_leader 1\n");
  });

  test("a client without a certificate is not served", async () => {
    const transport = createGrpcTransport({ tls: { ca: { path: caFile } } });
    await using client = createClient({ endpoints: [`https://${proxy.endpoint}`], transport, timeoutMs: 3_000 });
    await expect(client.get("tls")).rejects.toSatisfy((error) => isConclaveError(error));
  });

  test("a certificate that names a user is refused: members would take everybody for that user", async () => {
    const ending = await conclave(["grpc-proxy", "start", ...upstreamFlags("root")]);
    expect(ending).toMatchObject({ status: 1, stderr: "Error: cert has non empty Common Name\n" });
  });

  test.each([
    ["--cert-file=/nowhere", "--key-file=/nowhere"],
    ["--cacert=/nowhere"],
    ["--cert=/nowhere", "--key=/nowhere"],
    ["--cert=/nowhere"],
  ])("%s cannot be", async (...flags) => {
    const { status, stderr } = await conclave(["grpc-proxy", "start", ...flags]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^Error: .*(nowhere|together)[^\n]*\n$/);
  });

  test("the gateway passes it through", async () => {
    const endpoints = [{ address: memberEndpoint, scheme: "https", priority: 0, weight: 1 }];
    const gateway = await startGateway({ listenAddr: "127.0.0.1:0", endpoints });
    await using client = through({ endpoint: gateway.address });
    expect(await client.getString("tls")).toBe("served");
    await client.close();
    await gateway.close();
  });
});

describe("users", () => {
  const ctlAs = (user: string) => {
    const { certFile, keyFile } = certificates.unnamed;
    const tls = [`--cacert=${caFile}`, `--cert=${certFile}`, `--key=${keyFile}`];
    const as = user === "" ? [] : [`--user=${user}:secret`];
    return ctl("conclavectl", [`--endpoints=${proxy.endpoint}`, ...tls, ...as]);
  };
  const tokenOf = async (name: string): Promise<string> => {
    await using client = through(proxy);
    return (await client.raw.auth.authenticate({ name, password: "secret" })).token;
  };

  beforeAll(async () => {
    await using client = through(proxy);
    const { auth } = client.raw;
    await client.put("a/key", "1");
    for (const name of ["root", "reader"]) await auth.roleAdd({ name });
    const perm = { permType: 0 as const, key: utf8("a/"), rangeEnd: prefixEnd(utf8("a/")) };
    await auth.roleGrantPermission({ name: "reader", perm });
    for (const name of ["root", "alice", "bob"]) await auth.userAdd({ name, password: "secret" });
    await auth.userGrantRole({ user: "root", role: "root" });
    await auth.userGrantRole({ user: "alice", role: "reader" });
    await auth.authEnable({});
  });

  test("users and roles are administered through it", async () => {
    const { out } = await ctlAs("root")(["user", "list"]);
    expect(out).toBe("alice\nbob\nroot\n");
    expect((await ctlAs("")(["user", "list"])).err).toContain("user name is empty");
    expect((await ctlAs("bob")(["user", "list"])).err).toContain("permission denied");
  });

  test("what one user has read from memory is not read by another", async () => {
    const serializable = { serializable: true, monotonic: false } as const;
    await using alice = through(proxy, "unnamed", await tokenOf("alice"));
    await using bob = through(proxy, "unnamed", await tokenOf("bob"));
    await using nobody = through(proxy);
    for (let count = 0; count < 2; count++) {
      expect((await alice.range("a/key", serializable)).kvs).toHaveLength(1);
      await expect(bob.range("a/key", serializable)).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
      await expect(nobody.range("a/key", serializable)).rejects.toMatchObject({ name: "ConclaveError" });
    }
    await expect(alice.put("a/key", "2")).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  });

  test("the certificate of a client does not make it that user", async () => {
    await using client = through(proxy, "root");
    await expect(client.get("a/key")).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  });

  test("a watcher is shared by those with the same token, and by nobody else", async () => {
    const [asAlice, asBob] = [await tokenOf("alice"), await tokenOf("bob")];
    await using alice = through(proxy, "unnamed", asAlice);
    await using aliceElsewhere = through(proxy, "unnamed", asAlice);
    await using bob = through(proxy, "unnamed", asBob);
    const watchers = [alice.watch("a/key"), aliceElsewhere.watch("a/key")];
    await Promise.all(watchers.map((watcher) => watcher.ready()));
    expect((await bob.watch("a/key").ended)?.message).toContain("permission denied");
    const metrics = await (await fetch(`${proxy.httpUrl}/proxy/metrics`)).text();
    expect(metrics).toContain("\nconclave_grpc_proxy_upstream_watchers 1\n");
    const heard = watchers.map(async (watcher) => {
      for await (const { events } of watcher) return events[0]?.kv.valueString;
      return undefined;
    });
    expect((await ctlAs("root")(["put", "a/key", "told"])).status).toBe(0);
    expect(await Promise.all(heard)).toEqual(["told", "told"]);
  });

  test("a permission that is taken away through the proxy is gone at once, from what is in memory too", async () => {
    const serializable = { serializable: true, monotonic: false } as const;
    await using alice = through(proxy, "unnamed", await tokenOf("alice"));
    expect((await alice.range("a/key", serializable)).kvs).toHaveLength(1);
    expect((await ctlAs("root")(["role", "revoke-permission", "reader", "a/", "--prefix=true"])).status).toBe(0);
    await expect(alice.range("a/key", serializable)).rejects.toMatchObject({ name: "ConclaveError" });
  });

  test("it is in good health although it may read nothing", async () => {
    expect(await (await fetch(`${proxy.httpUrl}/health`)).json()).toMatchObject({ health: "true" });
  });
});
