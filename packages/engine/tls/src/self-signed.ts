/** @module Certificates of a member's own, for `--auto-tls`. */
import { mkdir, open, rm, stat } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { TlsError } from "./tls-error.ts";

/** What a certificate of one's own is for. */
export interface SelfSignedOptions {
  /** Where certificate and key lie, or will lie: `cert.pem` and `key.pem`. */
  readonly directory: string;
  /** The hosts that it is valid for, with or without a port. */
  readonly hosts: readonly string[];
  /** For how many years of 365 days, at least 1. */
  readonly validityYears: number;
  /** Whether it is also shown when dialling. */
  readonly forClient: boolean;
  /** The time, in milliseconds since 1970. */
  readonly nowMs: number;
}

/** Where a certificate and its key lie. */
export interface CertificateFiles {
  /** The certificate, PEM. */
  readonly certFile: string;
  /** The key, PEM. */
  readonly keyFile: string;
}

const yearMs = 365 * 24 * 3_600_000;

/**
 * Makes a certificate that nobody but itself vouches for, unless there is one from an earlier start. The key can be
 * read by its owner alone.
 *
 * @returns where the two are
 * @throws TlsError `CONFIG` for a validity below one year; `FILE` if the files cannot be written
 */
export async function ensureSelfSigned(options: SelfSignedOptions): Promise<CertificateFiles> {
  const { directory, validityYears } = options;
  if (validityYears < 1) throw new TlsError("CONFIG", "selfSignedCertValidity is invalid,it should be greater than 0");
  const files = { certFile: join(directory, "cert.pem"), keyFile: join(directory, "key.pem") };
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    if (!((await exists(files.certFile)) && (await exists(files.keyFile)))) await generate(options, files);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TlsError("FILE", `Cannot make a certificate in "${directory}": ${reason}`, { cause });
  }
  return files;
}

async function generate(options: SelfSignedOptions, { certFile, keyFile }: CertificateFiles): Promise<void> {
  const { cert, key } = await selfSigned(options);
  await write(keyFile, key, 0o600);
  await write(certFile, cert, 0o644);
}

async function selfSigned(options: SelfSignedOptions): Promise<{ readonly cert: string; readonly key: string }> {
  const { hosts, validityYears, forClient, nowMs } = options;
  await import("reflect-metadata");
  // It takes a while to load, and few members need it.
  const x509 = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await globalThis.crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const usages = [x509.ExtendedKeyUsage.serverAuth, ...(forClient ? [x509.ExtendedKeyUsage.clientAuth] : [])];
  const names = [...new Set(hosts.map(hostOf))].map(
    (host) => ({ type: isIP(host) ? "ip" : "dns", value: host }) as const,
  );
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "O=etcd",
    notBefore: new Date(nowMs),
    notAfter: new Date(nowMs + validityYears * yearMs),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyEncipherment | x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(usages),
      new x509.SubjectAlternativeNameExtension(names),
    ],
  });
  const key = await globalThis.crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { cert: certificate.toString("pem"), key: x509.PemConverter.encode(key, "PRIVATE KEY") };
}

function hostOf(address: string): string {
  return address.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
}

/** Whoever creates the file is the one who fills it: half of a pair that a crash left may have other rights. */
async function write(path: string, text: string, mode: number): Promise<void> {
  await rm(path, { force: true });
  const file = await open(path, "wx", mode);
  try {
    await file.writeFile(`${text}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
