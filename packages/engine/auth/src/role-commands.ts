/** @module The commands that change and show roles. Each refuses before it changes anything. */
import { compareBytes, equalBytes, utf8Text } from "@conclave/base";
import type { Permission, Role } from "@conclave/protocol/authpb";
import type {
  AuthRoleAddRequest,
  AuthRoleDeleteRequest,
  AuthRoleGetRequest,
  AuthRoleGetResponse,
  AuthRoleGrantPermissionRequest,
  AuthRoleListResponse,
  AuthRoleRevokePermissionRequest,
} from "@conclave/protocol/etcdserverpb";
import { AuthError } from "./auth-error.ts";
import { type AuthState, rootName } from "./auth-state.ts";
import { namesKeys } from "./key-interval.ts";
import { nameBytes } from "./name-bytes.ts";

type RangeOfPermission = Pick<Permission, "key" | "rangeEnd">;

function roleOrThrow({ rows }: AuthState, name: string): Role {
  const role = rows.role(name);
  if (role === undefined) throw new AuthError("ROLE_NOT_FOUND");
  return role;
}

/** Adds a role. */
export function roleAdd(state: AuthState, request: AuthRoleAddRequest): void {
  if (request.name === "") throw new AuthError("ROLE_EMPTY");
  const name = nameBytes(request.name);
  if (state.rows.role(request.name) !== undefined) throw new AuthError("ROLE_ALREADY_EXISTS");
  state.rows.putRole({ name, keyPermission: [] });
  state.changed();
}

/** Deletes a role and takes it from all users; the role root stays while authentication is on. */
export function roleDelete(state: AuthState, { role }: AuthRoleDeleteRequest): void {
  if (state.enabled && role === rootName) throw new AuthError("INVALID_AUTH_MGMT");
  roleOrThrow(state, role);
  state.rows.deleteRole(role);
  for (const user of state.rows.users()) {
    const roles = user.roles.filter((granted) => granted !== role);
    if (roles.length < user.roles.length) state.rows.putUser({ ...user, roles });
  }
  state.changed();
}

/**
 * Adds a permission to a role, or changes what the role may do to exactly that range. As in members of etcd, which have
 * to come to the same verdicts, the permission that was there is found only if no other that begins at the same key
 * was granted before it; else both are kept.
 */
export function roleGrantPermission(state: AuthState, { name, perm }: AuthRoleGrantPermissionRequest): void {
  if (perm === undefined) throw new AuthError("PERMISSION_NOT_GIVEN");
  if (!namesKeys(perm)) throw new AuthError("INVALID_AUTH_MGMT", "The range of the permission is empty");
  const role = roleOrThrow(state, name);
  const held = role.keyPermission.find(({ key }) => equalBytes(key, perm.key));
  const keyPermission =
    held !== undefined && isSameRange(held, perm)
      ? role.keyPermission.map((each) => (each === held ? { ...perm } : each))
      : [...role.keyPermission, { ...perm }].sort(byKey);
  state.rows.putRole({ ...role, keyPermission });
  state.changed();
}

/** Takes the permission of exactly this range from a role. */
export function roleRevokePermission(state: AuthState, request: AuthRoleRevokePermissionRequest): void {
  const role = roleOrThrow(state, request.role);
  const keyPermission = role.keyPermission.filter((held) => !isSameRange(held, request));
  if (keyPermission.length === role.keyPermission.length) throw new AuthError("PERMISSION_NOT_GRANTED");
  state.rows.putRole({ ...role, keyPermission });
  state.changed();
}

/** Shows the permissions of a role. */
export function roleGet(state: AuthState, { role }: AuthRoleGetRequest): AuthRoleGetResponse {
  return { header: undefined, perm: [...roleOrThrow(state, role).keyPermission] };
}

/** Shows the names of all roles. */
export function roleList(state: AuthState): AuthRoleListResponse {
  return { header: undefined, roles: state.rows.roles().map(({ name }) => utf8Text(name)) };
}

function isSameRange(left: RangeOfPermission, right: RangeOfPermission): boolean {
  return equalBytes(left.key, right.key) && equalBytes(left.rangeEnd, right.rangeEnd);
}

function byKey(left: RangeOfPermission, right: RangeOfPermission): number {
  return compareBytes(left.key, right.key);
}
