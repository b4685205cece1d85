/** @module The commands, which find each other by DNS: the member its cluster, `conclavectl` the member. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { startDnsServer } from "@conclave/testkit";
import { expect, test } from "vitest";
import { Conclave, makePlace } from "./conclave.ts";

const conclavectl = join(import.meta.dirname, "..", "..", "bin", "conclavectl");

/** Has a command ask a DNS server of the test, as the file that says whom to ask is the system's. */
function asking(dnsServer: string): Record<string, string> {
  const module = `import dns from "node:dns"; dns.setServers(["${dnsServer}"]);`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(module)}` };
}

async function ctl(args: readonly string[], env: Record<string, string>): Promise<{ status: number; out: string }> {
  const child = spawn(conclavectl, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH, ...env },
  });
  const [out, err, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { status, out: `${out}${err}` };
}

test("a member founds the cluster that SRV records name, and conclavectl finds it by others", async () => {
  await using place = await makePlace();
  const portOf = (flag: string): number => {
    const value = place.flags.find((each) => each.startsWith(flag)) ?? "";
    return Number(value.slice(value.lastIndexOf(":") + 1));
  };
  await using dns = await startDnsServer({
    srv: {
      "_etcd-server._tcp.example.test": [{ name: "127.0.0.1", port: portOf("--listen-peer-urls") }],
      "_etcd-client-blue._tcp.example.test": [{ name: "127.0.0.1", port: portOf("--listen-client-urls") }],
    },
    addresses: {},
  });
  const env = asking(dns.address);
  const flags = place.flags.filter((flag) => !flag.startsWith("--initial-cluster="));
  await using member = await new Conclave([...flags, "--discovery-srv=example.test"], { env }).ready();
  expect(member.lines.join()).toContain("found the cluster by DNS");

  const blue = ["--discovery-srv=example.test", "--discovery-srv-name=blue"];
  expect(await ctl([...blue, "put", "k", "v"], env)).toEqual({ status: 0, out: "OK\n" });
  expect(await ctl([...blue, "get", "k", "--print-value-only"], env)).toEqual({ status: 0, out: "v\n" });
  const nowhere = await ctl(["--discovery-srv=empty.test", "get", "k"], env);
  expect(nowhere).toMatchObject({ status: 1, out: expect.stringContaining("_etcd-client._tcp.empty.test") });
  const onlySecure = await ctl([...blue, "--insecure-discovery=false", "get", "k"], env);
  expect(onlySecure).toMatchObject({ status: 1, out: expect.stringContaining("_etcd-client-ssl-blue._tcp") });
});
