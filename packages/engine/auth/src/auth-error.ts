/**
 * Why the auth store refused.
 *
 * - `USER_EMPTY`: no user was named, or nobody is asking.
 * - `AUTH_FAILED`: there is no such user who could log in with a password.
 * - `PERMISSION_DENIED`: the user may not, or is no more.
 * - `OLD_REVISION`: users or roles have changed since the permission was checked.
 * - `INVALID_AUTH_MGMT`: the change would take root its power while authentication is on, or makes no sense.
 * - `CORRUPT`: a stored row is no user, role or revision.
 * - the others are what their names say.
 */
export type AuthErrorCode =
  | "ROOT_USER_NOT_EXIST"
  | "ROOT_ROLE_NOT_EXIST"
  | "USER_ALREADY_EXISTS"
  | "USER_EMPTY"
  | "USER_NOT_FOUND"
  | "ROLE_ALREADY_EXISTS"
  | "ROLE_EMPTY"
  | "ROLE_NOT_FOUND"
  | "ROLE_NOT_GRANTED"
  | "PERMISSION_NOT_GIVEN"
  | "PERMISSION_NOT_GRANTED"
  | "PERMISSION_DENIED"
  | "AUTH_FAILED"
  | "AUTH_NOT_ENABLED"
  | "OLD_REVISION"
  | "INVALID_AUTH_MGMT"
  | "CORRUPT";

/** An operation of the auth store that could not be done; nothing was changed by it. */
export class AuthError extends Error {
  override readonly name = "AuthError";
  /** What kind of refusal it is. */
  readonly code: AuthErrorCode;

  constructor(code: AuthErrorCode, message: string = code, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
