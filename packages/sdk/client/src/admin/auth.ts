/** @module Users, roles and what they may do. */
import { Permission_Type as PermissionType } from "@conclave/protocol/authpb";
import * as z from "zod";
import type { CallOptions } from "../calls/call-scope.ts";
import type { RawServices } from "../calls/raw.ts";
import { ConclaveError } from "../conclave-error.ts";
import { type KeyRange, type RangeInput, singleKey } from "../kv/key-range.ts";
import { rangeInput, validate } from "../validate.ts";

/** What a permission allows. */
export type Access = "read" | "write" | "readwrite";

/** A permission as a role has it. */
export interface GrantedPermission {
  /** What it allows. */
  readonly access: Access;
  /** To which keys. */
  readonly range: KeyRange;
}

/** Whether members ask who calls. */
export interface AuthStatus {
  /** Whether they do. */
  readonly enabled: boolean;
  /** Counts the changes of users and roles. */
  readonly authRevision: number;
}

/** A user to be: with a password, or without one for whoever comes by certificate only. */
export type NewUser = { readonly password: string } | { readonly noPassword: true };

/**
 * Users, roles and what they may do. Everything but looking at oneself needs the role `root` once authentication is on.
 * Names and ranges are those of the store, whatever namespace the client has.
 */
export interface Auth {
  /** Turns authentication on; there must be a user `root` with the role `root`. */
  enable(options?: CallOptions): Promise<void>;
  /** Turns authentication off. */
  disable(options?: CallOptions): Promise<void>;
  /** Whether authentication is on. */
  status(options?: CallOptions): Promise<AuthStatus>;
  /** Adds a user. */
  userAdd(name: string, user: NewUser, options?: CallOptions): Promise<void>;
  /** Deletes a user. */
  userDelete(name: string, options?: CallOptions): Promise<void>;
  /** The roles of a user. */
  userGet(name: string, options?: CallOptions): Promise<readonly string[]>;
  /** The names of all users. */
  userList(options?: CallOptions): Promise<readonly string[]>;
  /** Sets a user's password. */
  userChangePassword(name: string, password: string, options?: CallOptions): Promise<void>;
  /** Grants a role to a user. */
  userGrantRole(name: string, role: string, options?: CallOptions): Promise<void>;
  /** Takes a role from a user. */
  userRevokeRole(name: string, role: string, options?: CallOptions): Promise<void>;
  /** Adds a role. */
  roleAdd(role: string, options?: CallOptions): Promise<void>;
  /** Deletes a role, and takes it from all users. */
  roleDelete(role: string, options?: CallOptions): Promise<void>;
  /** The permissions of a role. */
  roleGet(role: string, options?: CallOptions): Promise<readonly GrantedPermission[]>;
  /** The names of all roles. */
  roleList(options?: CallOptions): Promise<readonly string[]>;
  /** Allows a role something, instead of what it was allowed for exactly this range. */
  roleGrantPermission(
    role: string,
    permission: { readonly access: Access; readonly range: RangeInput },
    options?: CallOptions,
  ): Promise<void>;
  /** Takes from a role what it was allowed for exactly this range. */
  roleRevokePermission(role: string, range: RangeInput, options?: CallOptions): Promise<void>;
}

const types: Readonly<Record<Access, PermissionType>> = {
  read: PermissionType.READ,
  write: PermissionType.WRITE,
  readwrite: PermissionType.READWRITE,
};
const accesses: readonly Access[] = ["read", "write", "readwrite"];
const accessSchema = z.enum(accesses as [Access, ...Access[]]);

function toRange(range: RangeInput): KeyRange {
  validate(rangeInput, range, "range of a permission");
  return typeof range === "string" || range instanceof Uint8Array ? singleKey(range) : range;
}

function passwordOf(user: NewUser): { readonly password: string; readonly options: { readonly noPassword: boolean } } {
  if ("noPassword" in user) return { password: "", options: { noPassword: true } };
  if (typeof user.password === "string") return { password: user.password, options: { noPassword: false } };
  // What was given is not shown: it may be meant for a password.
  throw new ConclaveError("INVALID_ARGUMENT", "Invalid user: expected a password as a string");
}

/** Makes the calls. */
export function createAuth({ auth }: RawServices): Auth {
  return {
    enable: async (options) => void (await auth.authEnable({}, options)),
    disable: async (options) => void (await auth.authDisable({}, options)),
    async status(options) {
      const { enabled, authRevision } = await auth.authStatus({}, options);
      return { enabled, authRevision: Number(authRevision) };
    },
    userAdd: async (name, user, options) => void (await auth.userAdd({ name, ...passwordOf(user) }, options)),
    userDelete: async (name, options) => void (await auth.userDelete({ name }, options)),
    userGet: async (name, options) => (await auth.userGet({ name }, options)).roles,
    userList: async (options) => (await auth.userList({}, options)).users,
    userChangePassword: async (name, password, options) =>
      void (await auth.userChangePassword({ name, password }, options)),
    userGrantRole: async (name, role, options) => void (await auth.userGrantRole({ user: name, role }, options)),
    userRevokeRole: async (name, role, options) => void (await auth.userRevokeRole({ name, role }, options)),
    roleAdd: async (name, options) => void (await auth.roleAdd({ name }, options)),
    roleDelete: async (role, options) => void (await auth.roleDelete({ role }, options)),
    async roleGet(role, options) {
      const { perm } = await auth.roleGet({ role }, options);
      return perm.map(({ permType, key, rangeEnd }) => ({
        access: accesses[permType] ?? "read",
        range: { key, rangeEnd },
      }));
    },
    roleList: async (options) => (await auth.roleList({}, options)).roles,
    async roleGrantPermission(name, { access, range }, options) {
      validate(accessSchema, access, "access of a permission");
      await auth.roleGrantPermission({ name, perm: { permType: types[access], ...toRange(range) } }, options);
    },
    async roleRevokePermission(role, range, options) {
      await auth.roleRevokePermission({ role, ...toRange(range) }, options);
    },
  };
}
