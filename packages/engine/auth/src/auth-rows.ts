import { type Backend, type Bucket, utf8, utf8Text } from "@conclave/base";
import { Role, User } from "@conclave/protocol/authpb";
import { AuthError } from "./auth-error.ts";
import { nameBytesMax } from "./name-bytes.ts";

const enabledKey = utf8("authEnabled");
const revisionKey = utf8("authRevision");

function decodeRow<R extends { readonly name: Uint8Array }>(
  codec: { decode(bytes: Uint8Array): R },
  name: string,
  bytes: Uint8Array,
): R {
  try {
    const row = codec.decode(bytes);
    if (utf8Text(row.name) === name) return row;
  } catch (cause) {
    throw new AuthError("CORRUPT", "A stored user or role cannot be decoded", { cause });
  }
  throw new AuthError("CORRUPT", "A stored user or role does not carry the name it is stored under");
}

/** The rows of the buckets `auth`, `authUsers` and `authRoles`, in etcd's format. */
export class AuthRows {
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Whether authentication is on. */
  get enabled(): boolean {
    return this.#backend.get("auth", enabledKey)?.[0] === 1;
  }

  set enabled(enabled: boolean) {
    this.#backend.put("auth", enabledKey, Uint8Array.of(enabled ? 1 : 0));
  }

  /** The auth revision; 0 in a store that has none yet. */
  get revision(): number {
    const bytes = this.#backend.get("auth", revisionKey);
    if (bytes === undefined) return 0;
    const revision = bytes.length === 8 ? new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0) : undefined;
    if (revision === undefined || revision > Number.MAX_SAFE_INTEGER)
      throw new AuthError("CORRUPT", "The stored auth revision is none");
    return Number(revision);
  }

  set revision(revision: number) {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(revision));
    this.#backend.put("auth", revisionKey, bytes);
  }

  /** The user of a name. */
  user(name: string): User | undefined {
    return this.#read("authUsers", User, name);
  }

  /** The role of a name. */
  role(name: string): Role | undefined {
    return this.#read("authRoles", Role, name);
  }

  /** Every user, by name. */
  users(): User[] {
    return this.#readAll("authUsers", User);
  }

  /** Every role, by name. */
  roles(): Role[] {
    return this.#readAll("authRoles", Role);
  }

  putUser(user: User): void {
    this.#backend.put("authUsers", user.name, User.encode(user).finish());
  }

  putRole(role: Role): void {
    this.#backend.put("authRoles", role.name, Role.encode(role).finish());
  }

  deleteUser(name: string): void {
    this.#backend.delete("authUsers", utf8(name));
  }

  deleteRole(name: string): void {
    this.#backend.delete("authRoles", utf8(name));
  }

  #read<R extends { readonly name: Uint8Array }>(
    bucket: Bucket,
    codec: { decode(bytes: Uint8Array): R },
    name: string,
  ): R | undefined {
    const key = utf8(name);
    // Such a name is not in the store, and the store need not take it.
    if (key.length === 0 || key.length > nameBytesMax) return undefined;
    const bytes = this.#backend.get(bucket, key);
    return bytes === undefined ? undefined : decodeRow(codec, name, bytes);
  }

  #readAll<R extends { readonly name: Uint8Array }>(bucket: Bucket, codec: { decode(bytes: Uint8Array): R }): R[] {
    return [...this.#backend.scan(bucket)].map(([key, bytes]) => decodeRow(codec, utf8Text(key), bytes));
  }
}
