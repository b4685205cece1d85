/** @module Certificates and keys as files hold them. */
import { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { ReadFile } from "./reloaded-files.ts";
import { TlsError } from "./tls-error.ts";

const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Which files an identity and its trust come from. An empty name stands for nothing. */
export interface CredentialFiles {
  /** The certificate and what follows it in its chain. */
  readonly certFile: string;
  /** Its key. */
  readonly keyFile: string;
  /** Whom to trust. */
  readonly trustedCaFile: string;
}

/** Credentials, checked. */
export interface Credentials {
  /** In the form in which Node's options have them. */
  readonly options: SecureContextOptions;
  /** Ready for use. */
  readonly context: SecureContext;
}

/**
 * Reads credentials.
 *
 * @param base - versions and cipher suites
 * @throws TlsError `FILE` if a file cannot be read, holds no certificate or a damaged one, or if the key is that of
 * another certificate
 */
export function readCredentials(files: CredentialFiles, read: ReadFile, base: SecureContextOptions): Credentials {
  const { certFile, keyFile, trustedCaFile } = files;
  const options: SecureContextOptions = {
    ...base,
    ...(certFile === "" ? {} : { cert: readChain(certFile, read), key: read(keyFile) }),
    ...(trustedCaFile === "" ? {} : { ca: readChain(trustedCaFile, read) }),
  };
  try {
    return { options, context: createSecureContext(options) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TlsError("FILE", `Cannot use the certificate "${certFile}" with the key "${keyFile}": ${reason}`, {
      cause,
    });
  }
}

/** The certificates of a PEM file; what stands between them is left out. */
function readChain(path: string, read: ReadFile): string[] {
  const blocks = read(path).toString("latin1").match(certificateBlock) ?? [];
  if (blocks.length === 0) throw new TlsError("FILE", `Cannot find a certificate in "${path}"`);
  for (const block of blocks) checkCertificate(block, path);
  return [blocks.join("\n")];
}

function checkCertificate(block: string, path: string): void {
  try {
    new X509Certificate(block);
  } catch (cause) {
    throw new TlsError("FILE", `Cannot read a certificate in "${path}": it is damaged`, { cause });
  }
}

/** The common name of a certificate's subject, of several the last, as in etcd; empty if it has none. */
export function commonNameOf(certificate: X509Certificate): string {
  // Node's types know of one name only.
  const names: unknown = certificate.toLegacyObject().subject?.CN;
  const last: unknown = Array.isArray(names) ? names.at(-1) : names;
  return typeof last === "string" ? last : "";
}
