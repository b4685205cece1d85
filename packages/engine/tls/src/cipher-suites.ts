/** @module Cipher suites of TLS 1.2 by the names that IANA and etcd's flags use; OpenSSL has names of its own. */
import { getCiphers } from "node:tls";
import { TlsError } from "./tls-error.ts";

const openSslNames: Readonly<Record<string, string>> = {
  TLS_RSA_WITH_AES_128_CBC_SHA: "AES128-SHA",
  TLS_RSA_WITH_AES_256_CBC_SHA: "AES256-SHA",
  TLS_RSA_WITH_AES_128_CBC_SHA256: "AES128-SHA256",
  TLS_RSA_WITH_AES_128_GCM_SHA256: "AES128-GCM-SHA256",
  TLS_RSA_WITH_AES_256_GCM_SHA384: "AES256-GCM-SHA384",
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: "ECDHE-ECDSA-AES128-SHA",
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: "ECDHE-ECDSA-AES256-SHA",
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: "ECDHE-RSA-AES128-SHA",
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: "ECDHE-RSA-AES256-SHA",
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: "ECDHE-ECDSA-AES128-SHA256",
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256: "ECDHE-RSA-AES128-SHA256",
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "ECDHE-RSA-AES128-GCM-SHA256",
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDHE-ECDSA-AES128-GCM-SHA256",
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: "ECDHE-RSA-AES256-GCM-SHA384",
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-RSA-CHACHA20-POLY1305",
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
  // Their names before RFC 7905 was finished, which etcd takes too.
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: "ECDHE-RSA-CHACHA20-POLY1305",
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: "ECDHE-ECDSA-CHACHA20-POLY1305",
};

/** Those of TLS 1.3. They are always offered: without them OpenSSL would not speak that version. */
const tls13Suites: readonly string[] = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
];

/** The names that cipher suites may be given by. */
export const cipherSuiteNames: readonly string[] = [...Object.keys(openSslNames), ...tls13Suites];

/**
 * A list of cipher suites in OpenSSL's form.
 *
 * @param names - IANA's names; those of TLS 1.3 are taken and change nothing
 * @throws TlsError `CONFIG` for a name that is not known, or that the OpenSSL of this process has no code for
 */
export function openSslCiphers(names: readonly string[]): string {
  const ciphers = names.filter((name) => !tls13Suites.includes(name)).map(openSslCipher);
  return [...tls13Suites, ...ciphers].join(":");
}

function openSslCipher(name: string): string {
  const cipher = Object.hasOwn(openSslNames, name) ? openSslNames[name] : undefined;
  if (cipher === undefined || !getCiphers().includes(cipher.toLowerCase()))
    throw new TlsError("CONFIG", `unexpected TLS cipher suite ${JSON.stringify(name)}`);
  return cipher;
}
