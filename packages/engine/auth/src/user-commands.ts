/** @module The commands that change and show users. Each refuses before it changes anything. */
import { compareBytes, utf8, utf8Text } from "@conclave/base";
import type {
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  AuthUserDeleteRequest,
  AuthUserGetRequest,
  AuthUserGetResponse,
  AuthUserGrantRoleRequest,
  AuthUserListResponse,
  AuthUserRevokeRoleRequest,
} from "@conclave/protocol/etcdserverpb";
import { AuthError } from "./auth-error.ts";
import { type AuthState, rootName } from "./auth-state.ts";
import { nameBytes } from "./name-bytes.ts";

/** What a command brings to set a password: the hash, or from members of etcd before 3.5 the password itself. */
export type PasswordGiven = Pick<AuthUserAddRequest, "name" | "password" | "hashedPassword">;

/** Reads the bcrypt text that a command sets as password; it must depend on the command alone. */
export type HashOf = (given: PasswordGiven) => Uint8Array;

const noBytes = new Uint8Array(0);

/** Adds a user. */
export function userAdd(state: AuthState, request: AuthUserAddRequest, hashOf: HashOf): void {
  if (request.name === "") throw new AuthError("USER_EMPTY");
  const name = nameBytes(request.name);
  if (state.rows.user(request.name) !== undefined) throw new AuthError("USER_ALREADY_EXISTS");
  const options = request.options ?? { noPassword: false };
  const password = options.noPassword ? noBytes : hashOf(request);
  state.rows.putUser({ name, password, roles: [], options });
  state.changed();
}

/** Deletes a user; root stays while authentication is on. */
export function userDelete(state: AuthState, { name }: AuthUserDeleteRequest): void {
  if (state.enabled && name === rootName) throw new AuthError("INVALID_AUTH_MGMT");
  state.userOrThrow(name);
  state.rows.deleteUser(name);
  state.changed();
}

/** Sets the password of a user who may have one. */
export function userChangePassword(state: AuthState, request: AuthUserChangePasswordRequest, hashOf: HashOf): void {
  const user = state.userOrThrow(request.name);
  const password = user.options?.noPassword === true ? noBytes : hashOf(request);
  state.rows.putUser({ ...user, password });
  state.changed();
}

/** Grants a role; that a user has it already is no change. The role root may be granted before there is one. */
export function userGrantRole(state: AuthState, { user: name, role }: AuthUserGrantRoleRequest): void {
  const user = state.userOrThrow(name);
  if (role !== rootName && state.rows.role(role) === undefined) throw new AuthError("ROLE_NOT_FOUND");
  if (user.roles.includes(role)) return;
  state.rows.putUser({ ...user, roles: [...user.roles, role].sort(byBytes) });
  state.changed();
}

/** Takes a role from a user; that of root stays while authentication is on. */
export function userRevokeRole(state: AuthState, { name, role }: AuthUserRevokeRoleRequest): void {
  if (state.enabled && name === rootName && role === rootName) throw new AuthError("INVALID_AUTH_MGMT");
  const user = state.userOrThrow(name);
  const roles = user.roles.filter((granted) => granted !== role);
  if (roles.length === user.roles.length) throw new AuthError("ROLE_NOT_GRANTED");
  state.rows.putUser({ ...user, roles });
  state.changed();
}

/** Shows the roles of a user. */
export function userGet(state: AuthState, { name }: AuthUserGetRequest): AuthUserGetResponse {
  return { header: undefined, roles: [...state.userOrThrow(name).roles] };
}

/** Shows the names of all users. */
export function userList(state: AuthState): AuthUserListResponse {
  return { header: undefined, users: state.rows.users().map(({ name }) => utf8Text(name)) };
}

/** Orders names as their UTF-8 bytes, as other members do. */
function byBytes(left: string, right: string): number {
  return compareBytes(utf8(left), utf8(right));
}
