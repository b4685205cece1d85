/**
 * @module Revoked certificates. Node's own `crl` option refuses every certificate of an authority without a list, and
 * lists in DER; so connections are checked here once their certificate is verified.
 */
import type { X509Certificate } from "node:crypto";
import type { ReadFile } from "./reloaded-files.ts";
import { TlsError } from "./tls-error.ts";

type X509 = typeof import("@peculiar/x509");

/** Tells which certificates are revoked. */
export interface RevocationList {
  /** The certificate of a chain that is revoked, if there is one. */
  revokedOf(chain: readonly X509Certificate[]): X509Certificate | undefined;
}

/** Reads the file of a list; see {@link loadCrlReader}. */
export type CrlReader = (path: string, read: ReadFile) => RevocationList;

/** Loads the parser of revocation lists, which takes a while and which few members need. */
export async function loadCrlReader(): Promise<CrlReader> {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  return (path, read) => parseList(x509, { path, bytes: read(path) });
}

function parseList(x509: X509, { path, bytes }: { readonly path: string; readonly bytes: Buffer }): RevocationList {
  const revoked = new Set<string>();
  try {
    for (const block of blocksOf(x509, bytes)) {
      const list = new x509.X509Crl(block);
      const issuer = hex(list.issuerName.toArrayBuffer());
      for (const { serialNumber } of list.entries) revoked.add(keyOf(issuer, serialNumber));
    }
  } catch (cause) {
    throw new TlsError("FILE", `Cannot read a revocation list in "${path}": it is damaged`, { cause });
  }
  const isRevoked = ({ raw, serialNumber }: X509Certificate): boolean => {
    const issuer = hex(new x509.X509Certificate(raw).issuerName.toArrayBuffer());
    return revoked.has(keyOf(issuer, serialNumber));
  };
  return { revokedOf: (chain) => (revoked.size === 0 ? undefined : chain.find(isRevoked)) };
}

/** The lists of a file: one in DER, or any number in PEM. */
function blocksOf(x509: X509, bytes: Buffer): ArrayBuffer[] {
  if (!bytes.includes("-----BEGIN")) return [new Uint8Array(bytes).buffer];
  const blocks = x509.PemConverter.decodeWithHeaders(bytes.toString("latin1"));
  const lists = blocks.filter(({ type }) => type === "X509 CRL").map(({ rawData }) => rawData);
  if (lists.length === 0) throw new RangeError("no X509 CRL block");
  return lists;
}

/** Serial numbers are only unique for one issuer; leading zeros are a matter of encoding. */
function keyOf(issuer: string, serialNumber: string): string {
  return `${issuer}/${serialNumber.toUpperCase().replace(/^0+/, "")}`;
}

function hex(bytes: ArrayBuffer): string {
  return Buffer.from(bytes).toString("hex");
}
