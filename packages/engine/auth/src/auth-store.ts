/**
 * @module The auth store: who the users are, what they may do, and whether anybody is asked. It is replicated: every
 * member applies the same commands in the same order and comes to the same rows. So nothing in here hashes a password,
 * draws a random number or looks at a clock.
 *
 * The **auth revision** counts the changes. A request carries the one at which its sender was known; if it is older than
 * the store's when the request is applied, what was known may not hold any more and the request is refused.
 */
import type { Backend } from "@conclave/base";
import type { AuthCommand, AuthResponse } from "./auth-command.ts";
import { AuthError } from "./auth-error.ts";
import { AuthState, rootName, type UserAccess } from "./auth-state.ts";
import { keyInterval } from "./key-interval.ts";
import * as roles from "./role-commands.ts";
import * as users from "./user-commands.ts";

/** What an auth store is made of. */
export interface AuthStoreOptions {
  /** The live store; rows are kept in its buckets `auth`, `authUsers` and `authRoles`. */
  readonly backend: Backend;
  /** Reads the bcrypt text that a command sets as password; it must depend on the command alone. */
  readonly hashOf: users.HashOf;
}

/** Who asks for something. */
export interface Caller {
  /** The user's name; empty for somebody who has not said who he is. */
  readonly username: string;
  /** The auth revision at which that was known; 0 for somebody who has not said who he is. */
  readonly authRevision: number;
}

/** What may be done to keys. */
export type Access = "read" | "write";

/** Keys as requests name them. */
export interface NamedKeys {
  /** First key. */
  readonly key: Uint8Array;
  /** Empty for one key; `\0` for all from `key` on; otherwise exclusive. */
  readonly rangeEnd: Uint8Array;
}

/** What is known of a user's password. */
export type PasswordRecord =
  | { readonly kind: "hash"; readonly hash: Uint8Array }
  /** There is no such user, or one without a password: whoever asks must not be told which. */
  | { readonly kind: "none" };

/** The auth store; a refused command changes nothing. */
export interface AuthStore {
  /** Whether authentication is on. If it is off, everybody may do everything. */
  readonly enabled: boolean;
  /** Counts the changes of users and roles; at least 1. */
  readonly revision: number;
  /**
   * Applies a command.
   *
   * @throws AuthError its refusal
   */
  apply(command: AuthCommand): AuthResponse;
  /**
   * Holds an access to keys against the permissions of the caller.
   *
   * @throws AuthError `USER_EMPTY`, `OLD_REVISION` or `PERMISSION_DENIED`
   */
  checkKeys(caller: Caller, access: Access, keys: NamedKeys): void;
  /**
   * Lets pass who has the role root.
   *
   * @throws AuthError `USER_EMPTY` or `PERMISSION_DENIED`
   */
  checkAdmin(caller: Caller): void;
  /**
   * Lets pass whoever is a user.
   *
   * @throws AuthError `USER_EMPTY` or `PERMISSION_DENIED`
   */
  checkUser(caller: Caller): void;
  /** Whether a user was granted a role. */
  hasRole(username: string, role: string): boolean;
  /** What a login is held against. */
  passwordOf(username: string): PasswordRecord;
  /**
   * Lets a user in whose password was checked.
   *
   * @throws AuthError `AUTH_NOT_ENABLED`, or `AUTH_FAILED` for one who cannot log in with a password
   */
  checkLogin(username: string): void;
  /** Somebody with the role root, for what the member itself proposes; nobody while authentication is off. */
  asRoot(): Caller;
  /**
   * Is told after each change of what anybody may do.
   *
   * @returns ends the listening
   */
  onChange(listener: () => void): () => void;
  /** Reads the rows anew after the store's content was replaced. */
  reload(): void;
}

/** Somebody who has not said who he is. */
export const nobody: Caller = { username: "", authRevision: 0 };

/**
 * Opens the auth store that a backend holds.
 *
 * @throws AuthError `CORRUPT`
 */
export function createAuthStore({ backend, hashOf }: AuthStoreOptions): AuthStore {
  const listeners = new Set<() => void>();
  const state = new AuthState(backend, () => {
    for (const listener of listeners) listener();
  });
  return {
    get enabled() {
      return state.enabled;
    },
    get revision() {
      return state.revision;
    },
    apply: (command) => apply(state, command, hashOf),
    checkKeys(caller, access, { key, rangeEnd }) {
      if (!state.enabled) return;
      if (caller.authRevision === 0) throw new AuthError("USER_EMPTY");
      if (caller.authRevision < state.revision) throw new AuthError("OLD_REVISION");
      const user = state.access(caller.username);
      if (user?.isRoot === true) return;
      const tree = access === "read" ? user?.readable : user?.writable;
      if (tree?.covers(keyInterval(key, rangeEnd)) !== true) throw new AuthError("PERMISSION_DENIED");
    },
    checkAdmin({ username }) {
      if (state.enabled && !userOrThrow(state, username).isRoot) throw new AuthError("PERMISSION_DENIED");
    },
    checkUser({ username }) {
      if (state.enabled) userOrThrow(state, username);
    },
    hasRole: (username, role) => state.access(username)?.roles.includes(role) === true,
    passwordOf: (username) => passwordOf(state, username),
    checkLogin(username) {
      if (!state.enabled) throw new AuthError("AUTH_NOT_ENABLED");
      if (passwordOf(state, username).kind === "none") throw new AuthError("AUTH_FAILED");
    },
    asRoot: () => (state.enabled ? { username: rootName, authRevision: state.revision } : nobody),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    reload: () => state.reload(),
  };
}

function userOrThrow(state: AuthState, username: string): UserAccess {
  if (username === "") throw new AuthError("USER_EMPTY");
  const access = state.access(username);
  if (access === undefined) throw new AuthError("PERMISSION_DENIED");
  return access;
}

function passwordOf(state: AuthState, username: string): PasswordRecord {
  const user = state.rows.user(username);
  if (user === undefined || user.options?.noPassword === true || user.password.length === 0) return { kind: "none" };
  return { kind: "hash", hash: user.password };
}

function enable(state: AuthState): void {
  if (state.enabled) return;
  const root = state.rows.user(rootName);
  if (root === undefined) throw new AuthError("ROOT_USER_NOT_EXIST");
  if (!root.roles.includes(rootName)) throw new AuthError("ROOT_ROLE_NOT_EXIST");
  state.setEnabled(true);
}

function disable(state: AuthState): void {
  if (!state.enabled) return;
  state.setEnabled(false);
  state.changed();
}

/** Commands that show something answer with it, the others with nothing but the header that the member adds. */
function apply(state: AuthState, command: AuthCommand, hashOf: users.HashOf): AuthResponse {
  switch (command.kind) {
    case "authStatus":
      return { header: undefined, enabled: state.enabled, authRevision: state.revision };
    case "authUserGet":
      return users.userGet(state, command.request);
    case "authUserList":
      return users.userList(state);
    case "authRoleGet":
      return roles.roleGet(state, command.request);
    case "authRoleList":
      return roles.roleList(state);
    default:
      change(state, command, hashOf);
      return { header: undefined };
  }
}

type Shown = "authStatus" | "authUserGet" | "authUserList" | "authRoleGet" | "authRoleList";

function change(state: AuthState, command: Exclude<AuthCommand, { kind: Shown }>, hashOf: users.HashOf): void {
  switch (command.kind) {
    case "authEnable":
      enable(state);
      return;
    case "authDisable":
      disable(state);
      return;
    case "authUserAdd":
      users.userAdd(state, command.request, hashOf);
      return;
    case "authUserDelete":
      users.userDelete(state, command.request);
      return;
    case "authUserChangePassword":
      users.userChangePassword(state, command.request, hashOf);
      return;
    case "authUserGrantRole":
      users.userGrantRole(state, command.request);
      return;
    case "authUserRevokeRole":
      users.userRevokeRole(state, command.request);
      return;
    case "authRoleAdd":
      roles.roleAdd(state, command.request);
      return;
    case "authRoleDelete":
      roles.roleDelete(state, command.request);
      return;
    case "authRoleGrantPermission":
      roles.roleGrantPermission(state, command.request);
      return;
    case "authRoleRevokePermission":
      roles.roleRevokePermission(state, command.request);
      return;
  }
}
