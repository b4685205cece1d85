/** @module Users, permissions and leases to hold rules of access against, in memory. */
import { type AuthStore, type Caller, createAuthStore, nobody } from "@conclave/auth";
import { utf8 } from "@conclave/base";
import { createLessor, type Lessor } from "@conclave/lease";
import { createMemoryBackend } from "@conclave/mvcc";
import { Permission_Type as PermissionType } from "@conclave/protocol/authpb";

/** State that rules look at. */
export interface AuthLab {
  readonly auth: AuthStore;
  readonly lessor: Lessor;
  /** A user as of now; nobody for an empty name. */
  caller(username: string): Caller;
  /** Adds a user, which changes the auth revision. */
  addUser(name: string): void;
}

/**
 * A lab with authentication on. ann may read and write `[b, d)`, read `r` and write `w`; bob may nothing; eve has the role
 * root, as root has. On lease 1 hangs `c`, on lease 2 `bb` and `secret`, on lease 3 nothing.
 */
export function authLab(): AuthLab {
  const backend = createMemoryBackend();
  const auth = createAuthStore({ backend, hashOf: ({ hashedPassword }) => utf8(hashedPassword) });
  const lessor = createLessor({ backend, minTtlSec: 2 });
  const addUser = (name: string) =>
    void auth.apply({
      kind: "authUserAdd",
      request: { name, password: "", hashedPassword: "hash", options: undefined },
    });
  const grantRole = (user: string, role: string) =>
    void auth.apply({ kind: "authUserGrantRole", request: { user, role } });
  const permit = (permType: PermissionType, key: string, rangeEnd = "") =>
    void auth.apply({
      kind: "authRoleGrantPermission",
      request: { name: "part", perm: { permType, key: utf8(key), rangeEnd: utf8(rangeEnd) } },
    });
  for (const name of ["root", "ann", "bob", "eve"]) addUser(name);
  auth.apply({ kind: "authRoleAdd", request: { name: "part" } });
  permit(PermissionType.READWRITE, "b", "d");
  permit(PermissionType.READ, "r");
  permit(PermissionType.WRITE, "w");
  grantRole("ann", "part");
  for (const name of ["root", "eve"]) grantRole(name, "root");
  for (const id of [1n, 2n, 3n]) lessor.grant({ id, ttlSec: 60n, nowMs: 0 });
  lessor.attach(1n, "c");
  for (const key of ["bb", "secret"]) lessor.attach(2n, key);
  auth.apply({ kind: "authEnable", request: {} });
  const caller = (username: string): Caller => (username === "" ? nobody : { username, authRevision: auth.revision });
  return { auth, lessor, caller, addUser };
}
