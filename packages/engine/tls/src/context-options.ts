/** @module Versions and cipher suites: what of a secure context does not come from files. */
import type { SecureContextOptions, SecureVersion } from "node:tls";
import { openSslCiphers } from "./cipher-suites.ts";
import { TlsError } from "./tls-error.ts";
import type { TlsSettings } from "./tls-settings.ts";

const versions: Readonly<Record<string, SecureVersion>> = { "TLS1.2": "TLSv1.2", "TLS1.3": "TLSv1.3" };

/**
 * The versions and cipher suites of some settings.
 *
 * @throws TlsError `CONFIG` for a version or suite that there is not, or if they contradict each other
 */
export function contextOptions({
  minVersion = "",
  maxVersion = "",
  cipherSuites = [],
}: Pick<TlsSettings, "minVersion" | "maxVersion" | "cipherSuites">): SecureContextOptions {
  const oldest = versionOf(minVersion) ?? "TLSv1.2";
  const newest = versionOf(maxVersion) ?? "TLSv1.3";
  if (oldest > newest)
    throw new TlsError("CONFIG", `min version (${minVersion}) is greater than max version (${maxVersion})`);
  if (oldest === "TLSv1.3" && cipherSuites.length > 0)
    throw new TlsError("CONFIG", "cipher suites may not be configured when min version is TLS1.3");
  const ciphers = cipherSuites.length === 0 ? {} : { ciphers: openSslCiphers(cipherSuites), honorCipherOrder: true };
  return { minVersion: oldest, maxVersion: newest, ...ciphers };
}

function versionOf(name: string): SecureVersion | undefined {
  if (name === "") return undefined;
  const version = Object.hasOwn(versions, name) ? versions[name] : undefined;
  if (version === undefined) throw new TlsError("CONFIG", `unexpected TLS version ${JSON.stringify(name)}`);
  return version;
}
