import { resolveSrv } from "node:dns/promises";
import { CommandError, exitCodes } from "./exit.ts";
import type { GlobalFlags } from "./global-flags.ts";

/**
 * The servers that a domain's SRV records name: `_etcd-client-ssl._tcp` with TLS, `_etcd-client._tcp` without.
 *
 * @throws CommandError if there are none
 */
export async function discoverEndpoints(flags: GlobalFlags): Promise<string[]> {
  const { discoverySrv: domain, discoverySrvName: name, insecureDiscovery } = flags;
  const suffix = name === "" ? "" : `-${name}`;
  const lookups = [lookUp("https", `_etcd-client-ssl${suffix}._tcp.${domain}`)];
  if (insecureDiscovery) lookups.push(lookUp("http", `_etcd-client${suffix}._tcp.${domain}`));
  const results = await Promise.allSettled(lookups);
  const found = results.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
  if (found.length > 0) return found;
  const reasons = results.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : []));
  throw new CommandError(exitCodes.failure, `dns lookup errors: ${reasons.join(" and ")}`);
}

async function lookUp(scheme: "http" | "https", service: string): Promise<string[]> {
  const records = await resolveSrv(service);
  return records.map(({ name, port }) => `${scheme}://${name}:${port}`);
}
