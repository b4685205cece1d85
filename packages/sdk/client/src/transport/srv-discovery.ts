/** @module Endpoints that the DNS tells, as etcd's clients look for them. */
import { resolveSrv } from "node:dns/promises";
import { ConclaveError } from "../conclave-error.ts";

/** One SRV record. */
export interface SrvRecord {
  /** The host; a dot at its end is ignored. */
  readonly name: string;
  /** The port. */
  readonly port: number;
  /** Lower ones first. */
  readonly priority: number;
  /** Greater ones first among the same priority. */
  readonly weight: number;
}

/** Where to look for endpoints. */
export interface SrvOptions {
  /** The domain whose records `_etcd-client-ssl._tcp` and `_etcd-client._tcp` name the members. */
  readonly domain: string;
  /** What is added to the services' names: `x` for `_etcd-client-x._tcp`. Default: nothing. */
  readonly serviceName?: string | undefined;
  /** Looks up the records of a name; rejects if there are none. Default: `resolveSrv` of `node:dns`. */
  readonly resolve?: ((name: string) => Promise<readonly SrvRecord[]>) | undefined;
}

/**
 * The endpoints that a domain names: `https://` ones of `_etcd-client-ssl._tcp`, then `http://` ones of
 * `_etcd-client._tcp`, each by priority and weight.
 *
 * @throws ConclaveError `UNAVAILABLE` if neither name has records; the cause is what the resolver said
 * @see https://etcd.io/docs/v3.6/op-guide/clustering/#dns-discovery
 */
export async function discoverEndpoints(options: SrvOptions): Promise<readonly string[]> {
  const { domain, serviceName, resolve = resolveSrv } = options;
  const suffix = serviceName === undefined || serviceName === "" ? "" : `-${serviceName}`;
  const lookUp = async (service: string, scheme: string) => {
    const records = await resolve(`_${service}${suffix}._tcp.${domain}`);
    return [...records].sort(byPreference).map(({ name, port }) => `${scheme}://${name.replace(/\.$/, "")}:${port}`);
  };
  const found = await Promise.allSettled([lookUp("etcd-client-ssl", "https"), lookUp("etcd-client", "http")]);
  const endpoints = found.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  if (endpoints.length > 0) return endpoints;
  const cause = found.find((answer) => answer.status === "rejected")?.reason as unknown;
  const message = `Cannot find members by the SRV records of ${domain}`;
  throw new ConclaveError("UNAVAILABLE", message, { cause, retryable: true });
}

function byPreference(left: SrvRecord, right: SrvRecord): number {
  return left.priority - right.priority || right.weight - left.weight;
}
