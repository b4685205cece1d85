/**
 * @module Finding the members of a cluster by DNS: each SRV record of `_etcd-server-ssl._tcp.<domain>` (https) and
 * `_etcd-server._tcp.<domain>` (http) is a member.
 */
import { MemberError } from "../member-error.ts";

/** A server that an SRV record names. */
export interface SrvRecord {
  /** Its host. */
  readonly name: string;
  /** Its port. */
  readonly port: number;
}

/** What is asked of the domain name system. */
export interface DomainNames {
  /** The SRV records of a name; rejects if there are none. */
  resolveSrv(name: string): Promise<readonly SrvRecord[]>;
  /** The address of a host. */
  resolveHost(host: string): Promise<string>;
}

/** Who looks for its cluster. */
export interface SrvOptions {
  /** Domain whose records are looked at. */
  readonly domain: string;
  /** Suffix of the service: `etcd-server-<suffix>`. Empty: none. */
  readonly suffix: string;
  /** Name of this member. */
  readonly name: string;
  /** Peer URLs that this member advertises, by which it recognises itself. */
  readonly peerUrls: readonly string[];
}

const schemes = [
  { scheme: "https", service: "etcd-server-ssl" },
  { scheme: "http", service: "etcd-server" },
] as const;

/**
 * Asks who is in a cluster. Only this member is called by its name: the others are numbered, as records have no names.
 *
 * @returns the members in the form of `--initial-cluster`
 * @throws MemberError `CONFIG` if there are no records, or none is of this member
 */
export async function clusterFromSrv(options: SrvOptions, names: DomainNames): Promise<string> {
  const own = await Promise.all(options.peerUrls.map((url) => addressOf(url, names)));
  const members: string[] = [];
  const failures: string[] = [];
  let isListed = false;
  for (const { scheme, service } of schemes) {
    const query = `_${[service, options.suffix].filter((part) => part !== "").join("-")}._tcp.${options.domain}`;
    const records = await names.resolveSrv(query).catch((error: unknown): SrvRecord[] => {
      failures.push(`${query}: ${error instanceof Error ? error.message : String(error)}`);
      return [];
    });
    for (const { name: host, port } of records) {
      const url = `${scheme}://${host.replace(/\.$/, "")}:${port}`;
      const isOwn = own.includes(await addressOf(url, names));
      isListed ||= isOwn;
      members.push(`${isOwn ? options.name : members.length}=${url}`);
    }
  }
  if (members.length === 0) throw refusal(options, `there are no SRV records (${failures.join("; ")})`);
  if (!isListed) {
    const wanted = options.peerUrls.join();
    throw refusal(options, `no SRV record is of this member, '${options.name}' at ${wanted}: ${members.join()}`);
  }
  return members.join();
}

function refusal({ domain }: SrvOptions, reason: string): MemberError {
  return new MemberError("CONFIG", `Invalid value ${JSON.stringify(domain)} for --discovery-srv: ${reason}`);
}

/** Scheme, address and port of a URL; a host that cannot be found stands for itself. */
async function addressOf(url: string, names: DomainNames): Promise<string> {
  const { protocol, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  const address = await names.resolveHost(host).catch(() => host);
  return `${protocol}//${address}:${port === "" ? (protocol === "https:" ? "443" : "80") : port}`;
}
