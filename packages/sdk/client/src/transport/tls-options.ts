/** @module How the client's connections are encrypted: certificates in memory, or in files that may be replaced. */
import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { isIP } from "node:net";
import type { ConnectionOptions, PeerCertificate } from "node:tls";
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import * as z from "zod";
import { ConclaveError } from "../conclave-error.ts";
import { bytesInput } from "../validate.ts";

/** PEM: as text, as bytes, or in a file that is read again when it has changed. */
export type PemSource = string | Uint8Array | { readonly path: string };

/** How connections are encrypted. */
export interface TlsOptions {
  /** Certificates of the authorities to trust. Default: those Node trusts. */
  readonly ca?: PemSource | undefined;
  /** The client's certificate chain, for members that ask for one. Default: none. */
  readonly cert?: PemSource | undefined;
  /** The private key of `cert`. */
  readonly key?: PemSource | undefined;
  /** The name to look for in the member's certificate; default: the host of the endpoint. */
  readonly serverName?: string | undefined;
  /** Take any certificate of a member, whoever signed it and whomever it names. For tests. Default: false. */
  readonly insecureSkipVerify?: boolean | undefined;
}

const pemSource = z.union([bytesInput, z.strictObject({ path: z.string().min(1) })]);
/** The shape of {@link TlsOptions}. */
export const tlsSchema: z.ZodOptional = z
  .strictObject({
    ca: pemSource.optional(),
    cert: pemSource.optional(),
    key: pemSource.optional(),
    serverName: z.string().optional(),
    insecureSkipVerify: z.boolean().optional(),
  })
  .optional();

/** How often files are looked at, at most. */
const lookMs = 1_000;

/** What connections are encrypted with. */
export interface TlsMaterial {
  /** Certificates of the authorities to trust, as PEM; null for those Node trusts. */
  readonly ca: Buffer | null;
  /** The client's certificate chain, as PEM; null for none. */
  readonly cert: Buffer | null;
  /** The private key of `cert`, as PEM. */
  readonly key: Buffer | null;
  /** Whether any certificate of a member is taken. */
  readonly insecureSkipVerify: boolean;
}

/** What new connections are made with, as the files are. */
export interface TlsSource<Loaded> {
  /**
   * What holds now; the same object for as long as no file changes. Files that have become unreadable, or are being
   * replaced, change nothing.
   */
  current(): Loaded;
}

/**
 * Reads certificates.
 *
 * @param make - makes of them what connections need; throws if they make no sense
 * @throws ConclaveError `INVALID_ARGUMENT` if a file cannot be read, or what is given makes no sense
 */
export function openTls<Loaded>(options: TlsOptions, make: (material: TlsMaterial) => Loaded): TlsSource<Loaded> {
  const paths = [options.ca, options.cert, options.key].flatMap((source) => (isFile(source) ? [source.path] : []));
  let stamp = stampOf(paths);
  let loaded = load(options, make);
  let lookedMs = performance.now();
  return {
    current() {
      if (paths.length === 0 || performance.now() - lookedMs < lookMs) return loaded;
      lookedMs = performance.now();
      const now = stampOf(paths);
      if (now === stamp) return loaded;
      try {
        loaded = load(options, make);
        stamp = now;
      } catch {
        // Certificate and key are replaced one after the other; in between they do not fit. It is tried again soon.
      }
      return loaded;
    },
  };
}

function load<Loaded>(options: TlsOptions, make: (material: TlsMaterial) => Loaded): Loaded {
  const { insecureSkipVerify = false } = options;
  try {
    const [ca, cert, key] = [bytesOf(options.ca), bytesOf(options.cert), bytesOf(options.key)];
    if (ca?.includes("-----BEGIN CERTIFICATE-----") === false) throw new Error("'ca' holds no certificate");
    if ((cert === null) !== (key === null)) throw new Error("'cert' and 'key' go together");
    return make({ ca, cert, key, insecureSkipVerify });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConclaveError("INVALID_ARGUMENT", `Cannot use the options of TLS: ${reason}`, { cause });
  }
}

/** The credentials of grpc-js. */
export function channelCredentials({ ca, cert, key, insecureSkipVerify }: TlsMaterial): ChannelCredentials {
  const loaded = credentials.createSsl(ca, key, cert, {
    rejectUnauthorized: !insecureSkipVerify,
    ...(insecureSkipVerify ? {} : { checkServerIdentity }),
  });
  return withoutAddressAsName(loaded);
}

/**
 * An address is no name that a member may be asked for (RFC 6066 §3). grpc-js asks all the same, of which Node warns the
 * user; the certificate is compared with the address nevertheless.
 */
function withoutAddressAsName(loaded: ChannelCredentials): ChannelCredentials {
  const createConnector = loaded._createSecureConnector.bind(loaded);
  loaded._createSecureConnector = (...target) => {
    const connector = createConnector(...target);
    const { connectionOptions = {} } = connector as { connectionOptions?: ConnectionOptions };
    if (isIP(connectionOptions.servername ?? "") !== 0) delete connectionOptions.servername;
    return connector;
  };
  return loaded;
}

/**
 * Whether a member's certificate is for a host. Only alternative names count, as for clients in Go: what is accepted here
 * is accepted there.
 *
 * @returns why it is not
 */
export function checkServerIdentity(host: string, { raw }: PeerCertificate): Error | undefined {
  const certificate = new X509Certificate(raw);
  const name = host.replace(/^\[|\]$/g, "");
  const found = isIP(name) === 0 ? certificate.checkHost(name, { subject: "never" }) : certificate.checkIP(name);
  if (found !== undefined) return undefined;
  return new Error(`the member's certificate is for ${certificate.subjectAltName ?? "no host"}, not ${name}`);
}

function isFile(source: PemSource | undefined): source is { readonly path: string } {
  return typeof source === "object" && "path" in source;
}

function bytesOf(source: PemSource | undefined): Buffer | null {
  if (source === undefined) return null;
  return isFile(source) ? readFileSync(source.path) : Buffer.from(source);
}

/** What tells that one of some files has changed. */
function stampOf(paths: readonly string[]): string {
  const stamps = paths.map((path) => {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? "" : `${stat.mtimeNs}/${stat.ctimeNs}/${stat.size}/${stat.ino}`;
  });
  return stamps.join();
}
