/** @module The one place where errors of the engine become errors of the protocol. */
import { AuthError, type AuthErrorCode } from "@conclave/auth";
import type { LeaseErrorCode } from "@conclave/lease";
import { LeaseError } from "@conclave/lease";
import { MvccError, type MvccErrorCode } from "@conclave/mvcc";
import { WireError, type WireErrorName } from "@conclave/protocol";

const mvccErrors: Record<MvccErrorCode, WireErrorName> = {
  COMPACTED: "Compacted",
  FUTURE_REVISION: "FutureRev",
  LEASE_NOT_FOUND: "LeaseNotFound",
  KEY_NOT_FOUND: "KeyNotFound",
};

/** `CORRUPT` stays what it is: a broken store, not an answer. */
const leaseErrors: Record<Exclude<LeaseErrorCode, "CORRUPT">, WireErrorName> = {
  NOT_FOUND: "LeaseNotFound",
  EXISTS: "LeaseExist",
  TTL_TOO_LARGE: "LeaseTTLTooLarge",
  NOT_PRIMARY: "NotLeader",
  REVOKING: "LeaseNotFound",
};

/** `CORRUPT` stays what it is here too. */
const authErrors: Record<Exclude<AuthErrorCode, "CORRUPT">, WireErrorName> = {
  ROOT_USER_NOT_EXIST: "RootUserNotExist",
  ROOT_ROLE_NOT_EXIST: "RootRoleNotExist",
  USER_ALREADY_EXISTS: "UserAlreadyExist",
  USER_EMPTY: "UserEmpty",
  USER_NOT_FOUND: "UserNotFound",
  ROLE_ALREADY_EXISTS: "RoleAlreadyExist",
  ROLE_EMPTY: "RoleEmpty",
  ROLE_NOT_FOUND: "RoleNotFound",
  ROLE_NOT_GRANTED: "RoleNotGranted",
  PERMISSION_NOT_GIVEN: "PermissionNotGiven",
  PERMISSION_NOT_GRANTED: "PermissionNotGranted",
  PERMISSION_DENIED: "PermissionDenied",
  AUTH_FAILED: "AuthFailed",
  AUTH_NOT_ENABLED: "AuthNotEnabled",
  OLD_REVISION: "AuthOldRevision",
  INVALID_AUTH_MGMT: "InvalidAuthMgmt",
};

/** The protocol's form of an error that is an answer to a request; undefined for any other error. */
export function toWireError(error: unknown): WireError | undefined {
  if (error instanceof WireError) return error;
  if (error instanceof MvccError) return new WireError(mvccErrors[error.code]);
  if (error instanceof LeaseError && error.code !== "CORRUPT") return new WireError(leaseErrors[error.code]);
  if (error instanceof AuthError && error.code !== "CORRUPT") return new WireError(authErrors[error.code]);
  return undefined;
}

/** Runs a read of the state machine and gives its refusals the protocol's form. */
export function withWireErrors<R>(read: () => R): R {
  try {
    return read();
  } catch (error) {
    throw toWireError(error) ?? error;
  }
}
