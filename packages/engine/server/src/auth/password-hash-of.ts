import { createHash } from "node:crypto";
import { AuthError, type PasswordGiven } from "@conclave/auth";
import { utf8 } from "@conclave/base";
import { hashSync } from "@node-rs/bcrypt";

/** bcrypt's rounds for passwords that an older member left to be hashed. All members must take the same. */
const legacyCost = 10;
const saltBytes = 16;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * The bcrypt text that a command sets as password: the one in it, which was made before the command was proposed.
 *
 * Members of etcd 3.4 leave the hashing to whoever applies the command. Every member of Conclave comes to the same
 * salt then; it is made of the name and the password. This holds up whatever the member does for the time of one hash.
 *
 * @throws AuthError `AUTH_FAILED` if the command holds no hash that could be read
 */
export function passwordHashOf({ name, password, hashedPassword }: PasswordGiven): Uint8Array {
  if (password !== "" && hashedPassword === "") {
    const salt = createHash("sha256").update(name).update("\0").update(password).digest().subarray(0, saltBytes);
    return utf8(hashSync(password, legacyCost, salt));
  }
  if (!base64.test(hashedPassword)) throw new AuthError("AUTH_FAILED", "The command holds no password hash");
  return Uint8Array.from(Buffer.from(hashedPassword, "base64"));
}
