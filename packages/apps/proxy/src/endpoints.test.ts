import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import { createTestAuthority } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { parseHostAndPort } from "./endpoint.ts";
import { endpointsOf, type SrvResolver } from "./endpoints.ts";
import { type FlagValues, parseFlags } from "./flags.ts";
import { gatewayCommand } from "./gateway/gateway-command.ts";
import { silentLog } from "./log.ts";

function valuesOf(...args: readonly string[]): FlagValues {
  const parsed = parseFlags(gatewayCommand.flags, args);
  if (parsed.kind === "help") throw new TypeError("values were expected");
  return parsed.values;
}

/** A resolver that knows some services. */
function knowing(services: Readonly<Record<string, Awaited<ReturnType<SrvResolver>>>>): SrvResolver {
  return async (name) => {
    const records = services[name];
    if (records === undefined) throw new Error(`querySrv ENOTFOUND ${name}`);
    return records;
  };
}

const record = (name: string, port: number) => ({ name, port, priority: 1, weight: 0 });
const options = { trustedCaFile: "", log: silentLog };

describe("endpointsOf()", () => {
  test("takes those that are listed, with or without a scheme", async () => {
    expect(await endpointsOf(valuesOf("--endpoints=a:1,https://b:2"), options)).toEqual([
      { address: "a:1", scheme: "http", priority: 0, weight: 1 },
      { address: "b:2", scheme: "https", priority: 0, weight: 1 },
    ]);
  });

  test("asks a domain for both kinds of records when nobody has to vouch for them", async () => {
    const resolve = knowing({
      "_etcd-client-ssl-blue._tcp.example.test": [record("one.example.test.", 1)],
      "_etcd-client-blue._tcp.example.test": [record("two.example.test", 2)],
    });
    const flags = valuesOf("--discovery-srv=example.test", "--discovery-srv-name=blue", "--insecure-discovery");
    expect(await endpointsOf(flags, { ...options, resolve })).toEqual([
      { address: "one.example.test:1", scheme: "https", priority: 1, weight: 1 },
      { address: "two.example.test:2", scheme: "http", priority: 1, weight: 1 },
    ]);
  });

  test("says why when a domain has no records", async () => {
    const found = endpointsOf(valuesOf("--discovery-srv=example.test"), { ...options, resolve: knowing({}) });
    await expect(found).rejects.toMatchObject({
      code: "CONFIG",
      message: "dns lookup errors: querySrv ENOTFOUND _etcd-client-ssl._tcp.example.test",
    });
  });

  test("leaves out what has no certificate for the domain", async () => {
    const directory = await mkdtemp(join(tmpdir(), "conclave-proxy-"));
    const authority = await createTestAuthority(directory);
    const servers = await Promise.all(
      ["example.test", "other.test"].map(async (host) => {
        const server = createServer(await authority.issue(host, { hosts: [host] }));
        server.on("tlsClientError", () => undefined).listen(0, "127.0.0.1");
        await new Promise((resolve) => server.once("listening", resolve));
        return { server, port: (server.address() as AddressInfo).port };
      }),
    );
    const resolve = knowing({
      "_etcd-client-ssl._tcp.example.test": servers.map(({ port }) => record("127.0.0.1", port)),
    });
    const flags = valuesOf("--discovery-srv=example.test");
    const trusted = { ...options, resolve, trustedCaFile: authority.certFile };
    const addresses = (await endpointsOf(flags, trusted)).map(({ address }) => address);
    expect(addresses).toEqual([`127.0.0.1:${servers[0]?.port}`]);
    const missing = endpointsOf(flags, { ...trusted, trustedCaFile: join(directory, "nowhere") });
    await expect(missing).rejects.toMatchObject({ name: "ProxyError", code: "CONFIG" });
    for (const { server } of servers) server.close();
    await rm(directory, { recursive: true });
  });
});

test.each([
  ["127.0.0.1:80", { host: "127.0.0.1", port: 80 }],
  [":80", { host: "", port: 80 }],
  ["[::1]:80", { host: "::1", port: 80 }],
  ["host", undefined],
  ["host:65536", undefined],
  ["http://host:80", undefined],
  ["::1:80", undefined],
])("parseHostAndPort(%j)", (text, at) => {
  expect(parseHostAndPort(text)).toEqual(at);
});
