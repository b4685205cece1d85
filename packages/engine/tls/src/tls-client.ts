/** @module The side of TLS that connects. */
import { X509Certificate } from "node:crypto";
import type { ConnectionOptions } from "node:tls";
import { checkNameRules, isValidFor, nameObjection } from "./allowed-names.ts";
import { contextOptions } from "./context-options.ts";
import { Identity } from "./identity.ts";
import { TlsError } from "./tls-error.ts";
import type { TlsLog, TlsSettings } from "./tls-settings.ts";

/** What the side that connects is made of. */
export interface TlsClientOptions {
  /** The flags. */
  readonly settings: TlsSettings;
  /** Where files that have become unreadable are told of. */
  readonly log: TlsLog;
  /** The name to look for in certificates, instead of the host that is dialled: the domain of SRV records. */
  readonly serverName?: string;
  /** Take any certificate: for certificates that nobody vouches for. Default: false. */
  readonly insecureSkipVerify?: boolean;
}

/** Encrypts connections that are opened here. */
export interface TlsClient {
  /** What Node is to be told for the next connection; looks at the files. */
  connectionOptions(): ConnectionOptions;
}

/**
 * Creates the side that connects. Without a certificate in the settings it shows none.
 *
 * @throws TlsError `CONFIG` for options that cannot be; `FILE` if a file cannot be read or makes no sense
 */
export function createTlsClient(options: TlsClientOptions): TlsClient {
  const { settings, log, serverName = "", insecureSkipVerify = false } = options;
  const { certFile, keyFile, clientCertFile = "", clientKeyFile = "", trustedCaFile = "" } = settings;
  if ((clientCertFile === "") !== (clientKeyFile === ""))
    throw new TlsError(
      "CONFIG",
      `ClientKeyFile and ClientCertFile must both be present or both absent: key: ${clientKeyFile}, cert: ${clientCertFile}]`,
    );
  checkNameRules(settings);
  const own = clientCertFile === "" ? { certFile, keyFile } : { certFile: clientCertFile, keyFile: clientKeyFile };
  const identity = new Identity({ ...own, trustedCaFile }, { base: contextOptions(settings), log });
  return {
    connectionOptions: () => ({
      secureContext: identity.current().context,
      rejectUnauthorized: !insecureSkipVerify,
      ...(serverName === "" ? {} : { servername: serverName }),
      checkServerIdentity: (host, { raw }) => {
        const objection = serverObjection(new X509Certificate(raw), { host, settings });
        return objection === undefined ? undefined : new Error(objection);
      },
    }),
  };
}

function serverObjection(
  certificate: X509Certificate,
  { host, settings }: { readonly host: string; readonly settings: TlsSettings },
): string | undefined {
  if (!isValidFor(certificate, host)) {
    const names = certificate.subjectAltName ?? "no host";
    return `tls: failed to verify certificate: it is valid for ${names}, not ${host}`;
  }
  return nameObjection(certificate, settings);
}
