/** @module Which members a proxy stands before: a list, or what a domain's SRV records name. */
import { resolveSrv } from "node:dns/promises";
import { TlsError } from "@conclave/tls";
import type { WeightedEndpoint } from "./endpoint.ts";
import type { FlagValues } from "./flags.ts";
import type { ProxyLog } from "./log.ts";
import { messageOf, ProxyError } from "./proxy-error.ts";
import { verifiedEndpoints } from "./verified-endpoints.ts";

/** Where SRV records come from. */
export type SrvResolver = (
  name: string,
) => Promise<
  readonly { readonly name: string; readonly port: number; readonly priority: number; readonly weight: number }[]
>;

/** How members are found. */
export interface EndpointsOptions {
  /** File with the authorities that vouch for members of a domain, PEM; empty: those that Node trusts. */
  readonly trustedCaFile: string;
  /** Where members that are left out are told of. */
  readonly log: ProxyLog;
  /** Where SRV records come from. Default: the system's resolver. */
  readonly resolve?: SrvResolver;
}

/**
 * The endpoints that the flags `--endpoints` and `--discovery-srv` with its companions name. What is found by
 * records must prove with a certificate that it belongs to the domain, unless `--insecure-discovery` is given.
 *
 * @throws ProxyError `CONFIG` if the domain has no records, or the file with the authorities cannot be read
 */
export async function endpointsOf(
  flags: FlagValues,
  { trustedCaFile, log, resolve = resolveSrv }: EndpointsOptions,
): Promise<readonly WeightedEndpoint[]> {
  const domain = flags.text("discovery-srv");
  if (domain === "") return flags.list("endpoints").map(parseListed);
  const isInsecure = flags.isOn("insecure-discovery");
  const found = await discover({ domain, serviceName: flags.text("discovery-srv-name"), isInsecure }, resolve);
  if (isInsecure) return found;
  try {
    return await verifiedEndpoints(found, { domain, trustedCaFile, log });
  } catch (cause) {
    if (cause instanceof TlsError) throw new ProxyError("CONFIG", cause.message, { cause });
    throw cause;
  }
}

interface Question {
  readonly domain: string;
  readonly serviceName: string;
  /** Whether what has no certificate counts too. */
  readonly isInsecure: boolean;
}

async function discover(
  { domain, serviceName, isInsecure }: Question,
  resolve: SrvResolver,
): Promise<readonly WeightedEndpoint[]> {
  const suffix = serviceName === "" ? "" : `-${serviceName}`;
  const lookUps = [lookUp(resolve, "https", `_etcd-client-ssl${suffix}._tcp.${domain}`)];
  if (isInsecure) lookUps.push(lookUp(resolve, "http", `_etcd-client${suffix}._tcp.${domain}`));
  const results = await Promise.allSettled(lookUps);
  const found = results.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
  if (found.length > 0) return found;
  const reasons = results.flatMap((result) => (result.status === "rejected" ? [messageOf(result.reason)] : []));
  throw new ProxyError("CONFIG", `dns lookup errors: ${reasons.join(" and ")}`);
}

async function lookUp(resolve: SrvResolver, scheme: string, service: string): Promise<WeightedEndpoint[]> {
  const records = await resolve(service);
  return records.map(({ name, port, priority, weight }) => {
    return { address: `${name.replace(/\.$/, "")}:${port}`, scheme, priority, weight: Math.max(1, weight) };
  });
}

function parseListed(text: string): WeightedEndpoint {
  const [, scheme = "http", address = ""] = /^(?:([a-z]+):\/\/)?(.*)$/.exec(text.trim()) ?? [];
  return { address, scheme, priority: 0, weight: 1 };
}
