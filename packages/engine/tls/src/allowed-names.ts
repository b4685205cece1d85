import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { commonNameOf } from "./certificates.ts";
import { TlsError } from "./tls-error.ts";
import type { TlsSettings } from "./tls-settings.ts";

/**
 * What is wrong with the names of a verified certificate; undefined if nothing is, or any name will do.
 *
 * @param certificate - that of the other end
 * @param settings - the names that are allowed
 */
export function nameObjection(
  certificate: X509Certificate,
  { allowedCommonNames = [], allowedHostnames = [] }: Pick<TlsSettings, "allowedCommonNames" | "allowedHostnames">,
): string | undefined {
  const isAllowed =
    (allowedCommonNames.length === 0 || allowedCommonNames.includes(commonNameOf(certificate))) &&
    (allowedHostnames.length === 0 || allowedHostnames.some((name) => isValidFor(certificate, name)));
  return isAllowed ? undefined : "client certificate authentication failed";
}

/** Whether a certificate is one of this host. Only its alternative names count, not its subject. */
export function isValidFor(certificate: X509Certificate, host: string): boolean {
  const found = isIP(host) === 0 ? certificate.checkHost(host, { subject: "never" }) : certificate.checkIP(host);
  return found !== undefined;
}

/**
 * Refuses rules of both kinds at once, as etcd does.
 *
 * @throws TlsError `CONFIG`
 */
export function checkNameRules({ allowedCommonNames = [], allowedHostnames = [] }: TlsSettings): void {
  if (allowedCommonNames.length === 0 || allowedHostnames.length === 0) return;
  const rules = `cn=${JSON.stringify(allowedCommonNames.join())}, hostname=${JSON.stringify(allowedHostnames.join())}`;
  throw new TlsError("CONFIG", `AllowedCN and AllowedHostname are mutually exclusive (${rules})`);
}
