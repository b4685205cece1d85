import { utf8 } from "@conclave/base";
import { AuthError } from "./auth-error.ts";

/** Longest name of a user or a role, in bytes: what a key of the store may have. */
export const nameBytesMax = 1900;

/**
 * The bytes of a name, under which the store keeps a row.
 *
 * @throws AuthError `INVALID_AUTH_MGMT` if it is longer than {@link nameBytesMax}
 */
export function nameBytes(name: string): Uint8Array {
  const bytes = utf8(name);
  if (bytes.length > nameBytesMax) throw new AuthError("INVALID_AUTH_MGMT", "The name is too long");
  return bytes;
}
