import { Resolver } from "node:dns/promises";
import { type DnsRecords, startDnsServer } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { clusterFromSrv, type DomainNames, type SrvOptions } from "./srv.ts";

function namesOf(address: string): DomainNames {
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  resolver.setServers([address]);
  return {
    resolveSrv: (name) => resolver.resolveSrv(name),
    async resolveHost(host) {
      const [first] = /^[\d.]+$/.test(host) ? [host] : await resolver.resolve4(host);
      if (first === undefined) throw new Error(`no address of ${host}`);
      return first;
    },
  };
}

const b: SrvOptions = { domain: "example.test", suffix: "", name: "b", peerUrls: ["http://b.example.test:2380"] };
const addresses = { "a.example.test": "127.0.0.1", "b.example.test": "127.0.0.2", "c.example.test": "127.0.0.3" };
const records: DnsRecords = {
  srv: {
    "_etcd-server._tcp.example.test": [
      { name: "a.example.test", port: 2380 },
      { name: "b.example.test", port: 2380 },
      { name: "c.example.test", port: 2381 },
    ],
    "_etcd-server-blue._tcp.example.test": [{ name: "b.example.test", port: 2380 }],
    "_etcd-server-ssl._tcp.secure.test": [{ name: "b.example.test", port: 2380 }],
  },
  addresses,
};

async function ask(options: SrvOptions): Promise<readonly string[]> {
  await using server = await startDnsServer(records);
  return (await clusterFromSrv(options, namesOf(server.address))).split(",").sort();
}

describe("clusterFromSrv()", () => {
  test("names this member, whose address it knows, and numbers the others", async () => {
    const cluster = await ask(b);
    expect(cluster.map((member) => member.replace(/^\d+=/, "N="))).toEqual([
      "N=http://a.example.test:2380",
      "N=http://c.example.test:2381",
      "b=http://b.example.test:2380",
    ]);
    expect(new Set(cluster.map((member) => member.split("=")[0])).size).toBe(3);
  });

  test("recognises this member by its address where it is advertised by another name", async () => {
    expect(await ask({ ...b, peerUrls: ["http://127.0.0.2:2380"] })).toContain("b=http://b.example.test:2380");
  });

  test("asks for the service with a suffix", async () => {
    expect(await ask({ ...b, suffix: "blue" })).toEqual(["b=http://b.example.test:2380"]);
  });

  test("takes the members of the -ssl service to speak TLS", async () => {
    const secure = { ...b, domain: "secure.test", peerUrls: ["https://b.example.test:2380"] };
    expect(await ask(secure)).toEqual(["b=https://b.example.test:2380"]);
  });

  test.each([
    [
      "there are no records",
      { ...b, domain: "empty.test" },
      /^Invalid value "empty.test" for --discovery-srv: there are no SRV records/,
    ],
    [
      "none is of this member",
      { ...b, peerUrls: ["http://b.example.test:9"] },
      /no SRV record is of this member, 'b' at http:\/\/b.example.test:9/,
    ],
    ["its scheme is another", { ...b, peerUrls: ["https://b.example.test:2380"] }, /no SRV record is of this member/],
  ])("refuses when %s", async (_, options, message) => {
    await expect(ask(options)).rejects.toMatchObject({ code: "CONFIG", message: expect.stringMatching(message) });
  });
});
