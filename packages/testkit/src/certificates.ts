/** @module An authority that issues certificates to tests: good ones, and every kind of bad one. */
import "reflect-metadata";
import { createPrivateKey, randomBytes, webcrypto } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
  X509CrlGenerator,
} from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const dayMs = 24 * 3_600_000;

/** What a certificate is to say. */
export interface IssueOptions {
  /** The common name; default: none. */
  readonly commonName?: string;
  /** Host names and addresses that it is valid for; default: `localhost` and `127.0.0.1`. */
  readonly hosts?: readonly string[];
  /** For whom it is; default: both. */
  readonly usage?: "server" | "client" | "both";
  /** When it begins to be valid, in days from now; default: one day ago. */
  readonly fromDays?: number;
  /** When it expires, in days from now; default: in ten days. */
  readonly untilDays?: number;
}

/** A certificate with its key, PEM, in memory and in files. */
export interface IssuedCertificate {
  /** The certificate, and after it those of intermediate authorities. */
  readonly cert: string;
  /** Its key, PKCS #8. */
  readonly key: string;
  /** Its key in the older form for elliptic curves (SEC 1). */
  readonly ecKey: string;
  /** The file of the certificate. */
  readonly certFile: string;
  /** The file of the key. */
  readonly keyFile: string;
  /** Its serial number in upper-case hexadecimal. */
  readonly serialNumber: string;
}

/** An authority of a test, with a directory for its files. */
export interface TestAuthority {
  /** Its own certificate, PEM. */
  readonly cert: string;
  /** The file of its certificate. */
  readonly certFile: string;
  /** Issues a certificate; its files are called after `name`. */
  issue(name: string, options?: IssueOptions): Promise<IssuedCertificate>;
  /**
   * Makes an authority below this one; what it issues carries its certificate along.
   *
   * @param domain - the only one below which it may issue for hosts; default: any
   */
  intermediate(name: string, domain?: string): Promise<TestAuthority>;
  /** A list of revoked certificates in both forms; `serialNumbers` of its own, whoever else has issued the same. */
  revoke(...serialNumbers: readonly string[]): Promise<{ readonly pem: string; readonly der: Buffer }>;
}

interface Parts {
  readonly directory: string;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly certificate: X509Certificate;
  /** What stands behind a certificate that it issues. */
  readonly chain: string;
}

/**
 * Makes an authority.
 *
 * @param directory - where the files go
 * @param name - its common name, and the name of its files
 */
export async function createTestAuthority(directory: string, name = "authority"): Promise<TestAuthority> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerialNumber(),
    name: nameOf(name),
    ...validity({}),
    keys,
    signingAlgorithm: algorithm,
    extensions: authorityExtensions(),
  });
  return await openAuthority({ directory, keys, certificate, chain: "" }, name);
}

async function openAuthority(parts: Parts, name: string): Promise<TestAuthority> {
  const { directory, certificate } = parts;
  const certFile = join(directory, `${name}.pem`);
  const cert = pemOf(certificate);
  await writeFile(certFile, cert);
  return {
    cert,
    certFile,
    issue: (below, options = {}) => issue(parts, { name: below, options }),
    intermediate: (below, domain) => intermediate(parts, { name: below, domain }),
    revoke: (...serialNumbers) => revoke(parts, serialNumbers),
  };
}

async function issue(
  { directory, keys, certificate, chain }: Parts,
  { name, options }: { readonly name: string; readonly options: IssueOptions },
): Promise<IssuedCertificate> {
  const own = await generateKeys();
  const issued = await X509CertificateGenerator.create({
    serialNumber: newSerialNumber(),
    subject: nameOf(options.commonName),
    issuer: certificate.subjectName,
    ...validity(options),
    publicKey: own.publicKey,
    signingKey: keys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [...leafExtensions(options), await AuthorityKeyIdentifierExtension.create(certificate.publicKey)],
  });
  const cert = pemOf(issued) + chain;
  const key = PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", own.privateKey), "PRIVATE KEY");
  const [certFile, keyFile] = [join(directory, `${name}.pem`), join(directory, `${name}-key.pem`)];
  await writeFile(certFile, cert);
  await writeFile(keyFile, key, { mode: 0o600 });
  const ecKey = createPrivateKey(key).export({ type: "sec1", format: "pem" }).toString();
  return { cert, key, ecKey, certFile, keyFile, serialNumber: issued.serialNumber.toUpperCase() };
}

async function intermediate(
  { directory, keys, certificate, chain }: Parts,
  { name, domain }: { readonly name: string; readonly domain: string | undefined },
): Promise<TestAuthority> {
  const own = await generateKeys();
  const below = await X509CertificateGenerator.create({
    serialNumber: newSerialNumber(),
    subject: nameOf(name),
    issuer: certificate.subjectName,
    ...validity({}),
    publicKey: own.publicKey,
    signingKey: keys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      ...authorityExtensions(),
      ...(domain === undefined ? [] : [onlyFor(domain)]),
      await SubjectKeyIdentifierExtension.create(own.publicKey),
      await AuthorityKeyIdentifierExtension.create(certificate.publicKey),
    ],
  });
  return await openAuthority({ directory, keys: own, certificate: below, chain: pemOf(below) + chain }, name);
}

async function revoke(
  { keys, certificate }: Parts,
  serialNumbers: readonly string[],
): Promise<{ readonly pem: string; readonly der: Buffer }> {
  const list = await X509CrlGenerator.create({
    issuer: certificate.subjectName,
    thisUpdate: new Date(Date.now() - dayMs),
    nextUpdate: new Date(Date.now() + dayMs),
    entries: serialNumbers.map((serialNumber) => ({ serialNumber, revocationDate: new Date(Date.now() - dayMs) })),
    signingAlgorithm: algorithm,
    signingKey: keys.privateKey,
  });
  return { pem: `${PemConverter.encode(list.rawData, "X509 CRL")}\n`, der: Buffer.from(list.rawData) };
}

function leafExtensions({ hosts = ["localhost", "127.0.0.1"], usage = "both" }: IssueOptions): Extension[] {
  const server = usage === "client" ? [] : [ExtendedKeyUsage.serverAuth];
  const client = usage === "server" ? [] : [ExtendedKeyUsage.clientAuth];
  const names = hosts.map((host) => ({ type: isIP(host) === 0 ? "dns" : "ip", value: host }) as const);
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([...server, ...client]),
    ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
  ];
}

function authorityExtensions(): Extension[] {
  return [
    new BasicConstraintsExtension(true, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ];
}

function validity({ fromDays = -1, untilDays = 10 }: IssueOptions): {
  readonly notBefore: Date;
  readonly notAfter: Date;
} {
  return { notBefore: new Date(Date.now() + fromDays * dayMs), notAfter: new Date(Date.now() + untilDays * dayMs) };
}

/** Name constraints (RFC 5280 §4.2.1.10): one permitted subtree, of DNS names. */
function onlyFor(domain: string): Extension {
  const name = Buffer.from(domain);
  const tagged = (tag: number, content: Buffer) => Buffer.concat([Buffer.from([tag, content.length]), content]);
  const permitted = tagged(0xa0, tagged(0x30, tagged(0x82, name)));
  return new Extension("2.5.29.30", true, tagged(0x30, permitted));
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

/** A positive one, as RFC 5280 §4.1.2.2 wants it. */
function newSerialNumber(): string {
  return `4${randomBytes(8).toString("hex").slice(1)}`;
}

function nameOf(commonName: string | undefined): string {
  return commonName === undefined ? "O=conclave" : `CN=${commonName}, O=conclave`;
}

function pemOf(certificate: X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}
