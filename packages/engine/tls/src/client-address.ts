/** @module Whether a certificate that names hosts was shown from one of them: etcd's check of peers that connect. */
import type { X509Certificate } from "node:crypto";
import { lookup, reverse } from "node:dns/promises";

/** How names are resolved. */
export interface Resolver {
  /** Addresses of a name. */
  addressesOf(name: string): Promise<readonly string[]>;
  /** Names of an address. */
  namesOf(address: string): Promise<readonly string[]>;
}

/** The system's resolver. */
export const systemResolver: Resolver = {
  addressesOf: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
  namesOf: (address) => reverse(address),
};

/**
 * What is wrong with a certificate shown from an address: it names addresses and hosts, and none is where it comes
 * from. One that names neither may come from anywhere.
 */
export async function addressObjection(
  certificate: X509Certificate,
  { address, resolver }: { readonly address: string; readonly resolver: Resolver },
): Promise<string | undefined> {
  const { names, addresses } = alternativeNames(certificate);
  if (names.length === 0 && addresses.length === 0) return undefined;
  if (certificate.checkIP(address) !== undefined) return undefined;
  if (names.length === 0) return `certificate is valid for ${addresses.join(", ")}, not ${address}`;
  for (const name of names) if (await isNameOf(name, { address, resolver })) return undefined;
  return `tls: ${JSON.stringify(address)} does not match any of DNSNames ${JSON.stringify(names)}`;
}

async function isNameOf(
  name: string,
  { address, resolver }: { readonly address: string; readonly resolver: Resolver },
): Promise<boolean> {
  try {
    if (!name.startsWith("*.")) return (await resolver.addressesOf(name)).includes(address);
    const domain = name.slice(1).toLowerCase();
    return (await resolver.namesOf(address)).some((host) => isBelow(host.toLowerCase().replace(/\.$/, ""), domain));
  } catch {
    // A name that nobody knows is no name of this address; another one may be.
    return false;
  }
}

/** Whether a host is one label below a domain, which starts with a dot. */
function isBelow(host: string, domain: string): boolean {
  return host.endsWith(domain) && !host.slice(0, -domain.length).includes(".") && host.length > domain.length;
}

function alternativeNames({ subjectAltName = "" }: X509Certificate): {
  readonly names: readonly string[];
  readonly addresses: readonly string[];
} {
  // A name with a comma or worse in it is quoted; it is no host's, and what it contains is no entry.
  const entries = [...subjectAltName.matchAll(/(DNS|IP Address):("(?:[^"\\]|\\.)*"|[^,]*)/g)];
  const of = (kind: string) =>
    entries.filter((entry) => entry[1] === kind).flatMap(([, , name = ""]) => (name.startsWith('"') ? [] : [name]));
  return { names: of("DNS"), addresses: of("IP Address") };
}
