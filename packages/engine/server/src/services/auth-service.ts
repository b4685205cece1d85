import type { AuthCommandKind } from "@conclave/auth";
import { nobody } from "@conclave/auth";
import { utf8Text } from "@conclave/base";
import { GrpcStatus, WireError } from "@conclave/protocol";
import type {
  AuthDisableRequest,
  AuthDisableResponse,
  AuthEnableRequest,
  AuthEnableResponse,
  AuthenticateRequest,
  AuthenticateResponse,
  AuthRoleAddRequest,
  AuthRoleAddResponse,
  AuthRoleDeleteRequest,
  AuthRoleDeleteResponse,
  AuthRoleGetRequest,
  AuthRoleGetResponse,
  AuthRoleGrantPermissionRequest,
  AuthRoleGrantPermissionResponse,
  AuthRoleListRequest,
  AuthRoleListResponse,
  AuthRoleRevokePermissionRequest,
  AuthRoleRevokePermissionResponse,
  AuthStatusRequest,
  AuthStatusResponse,
  AuthUserAddRequest,
  AuthUserAddResponse,
  AuthUserChangePasswordRequest,
  AuthUserChangePasswordResponse,
  AuthUserDeleteRequest,
  AuthUserDeleteResponse,
  AuthUserGetRequest,
  AuthUserGetResponse,
  AuthUserGrantRoleRequest,
  AuthUserGrantRoleResponse,
  AuthUserListRequest,
  AuthUserListResponse,
  AuthUserRevokeRoleRequest,
  AuthUserRevokeRoleResponse,
} from "@conclave/protocol/etcdserverpb";
import { RpcError, type ServerCall } from "@conclave/rpc";
import type { CommandRequest, CommandResponse } from "../apply/commands.ts";
import type { AccessControl } from "../auth/access-control.ts";
import type { RuledCommand } from "../auth/command-rules.ts";
import type { JwtTokens } from "../auth/jwt-tokens.ts";
import { LoginThrottle } from "../auth/login-throttle.ts";
import type { Passwords } from "../auth/passwords.ts";
import type { Member } from "../member.ts";
import { compareApiLevels } from "../membership/api-version.ts";

/** What the Auth service is given. */
export interface AuthServiceParts {
  readonly member: Member;
  readonly access: AccessControl;
  readonly passwords: Passwords;
  /** bcrypt's rounds for new passwords, as a power of two. */
  readonly bcryptCost: number;
  /** Gives out tokens; absent: they are simple ones, given out through the log. */
  readonly jwt?: JwtTokens | undefined;
}

/** bcrypt looks at no more of a password. */
const passwordBytesMax = 72;
/** What a login is repeated for: that users or roles have changed while its password was being checked. */
const loginTriesMax = 10;
/** Letters of a name that failures are remembered by; only somebody who guesses sends a longer one. */
const rememberedNameMax = 256;
const simpleTokenLetters = 16;
const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** The oldest version whose members take a password that was hashed before they apply it. */
const hashesBeforeLog = "3.5.0";

/**
 * The Auth service: users, roles and logins. It goes through the log, most questions too, as in etcd. A password is
 * hashed here, before the command is proposed, so that it is in no log and applying needs no hashing.
 */
export class AuthService {
  readonly #parts: AuthServiceParts;
  readonly #throttle: LoginThrottle;

  constructor(parts: AuthServiceParts) {
    this.#parts = parts;
    this.#throttle = new LoginThrottle(parts.member.ports);
  }

  authEnable(request: AuthEnableRequest, call: ServerCall): Promise<AuthEnableResponse> {
    return this.#propose("authEnable", request, call);
  }

  authDisable(request: AuthDisableRequest, call: ServerCall): Promise<AuthDisableResponse> {
    return this.#propose("authDisable", request, call);
  }

  /** Not by the log, as the others: a member of etcd 3.4 ends at an entry that it does not know. */
  async authStatus(request: AuthStatusRequest, call: ServerCall): Promise<AuthStatusResponse> {
    const { member } = this.#parts;
    await this.#permit("authStatus", request, call);
    await member.linearizable();
    const { enabled, revision } = member.auth;
    return { header: member.header(), enabled, authRevision: revision };
  }

  async userAdd(request: AuthUserAddRequest, call: ServerCall): Promise<AuthUserAddResponse> {
    const { name, options } = request;
    const bare = { name, options, password: "", hashedPassword: "" };
    await this.#permit("authUserAdd", bare, call);
    const secret = options?.noPassword === true ? {} : await this.#secretOf(request.password, call);
    return this.#propose("authUserAdd", { ...bare, ...secret }, call);
  }

  userGet(request: AuthUserGetRequest, call: ServerCall): Promise<AuthUserGetResponse> {
    return this.#propose("authUserGet", request, call);
  }

  userList(request: AuthUserListRequest, call: ServerCall): Promise<AuthUserListResponse> {
    return this.#propose("authUserList", request, call);
  }

  userDelete(request: AuthUserDeleteRequest, call: ServerCall): Promise<AuthUserDeleteResponse> {
    return this.#propose("authUserDelete", request, call);
  }

  /** An empty password is none: the user cannot log in any more. */
  async userChangePassword(
    { name, password }: AuthUserChangePasswordRequest,
    call: ServerCall,
  ): Promise<AuthUserChangePasswordResponse> {
    const bare = { name, password: "", hashedPassword: "" };
    await this.#permit("authUserChangePassword", bare, call);
    const secret = password === "" ? {} : await this.#secretOf(password, call);
    return this.#propose("authUserChangePassword", { ...bare, ...secret }, call);
  }

  userGrantRole(request: AuthUserGrantRoleRequest, call: ServerCall): Promise<AuthUserGrantRoleResponse> {
    return this.#propose("authUserGrantRole", request, call);
  }

  userRevokeRole(request: AuthUserRevokeRoleRequest, call: ServerCall): Promise<AuthUserRevokeRoleResponse> {
    return this.#propose("authUserRevokeRole", request, call);
  }

  roleAdd(request: AuthRoleAddRequest, call: ServerCall): Promise<AuthRoleAddResponse> {
    return this.#propose("authRoleAdd", request, call);
  }

  roleGet(request: AuthRoleGetRequest, call: ServerCall): Promise<AuthRoleGetResponse> {
    return this.#propose("authRoleGet", request, call);
  }

  roleList(request: AuthRoleListRequest, call: ServerCall): Promise<AuthRoleListResponse> {
    return this.#propose("authRoleList", request, call);
  }

  roleDelete(request: AuthRoleDeleteRequest, call: ServerCall): Promise<AuthRoleDeleteResponse> {
    return this.#propose("authRoleDelete", request, call);
  }

  roleGrantPermission(
    request: AuthRoleGrantPermissionRequest,
    call: ServerCall,
  ): Promise<AuthRoleGrantPermissionResponse> {
    return this.#propose("authRoleGrantPermission", request, call);
  }

  roleRevokePermission(
    request: AuthRoleRevokePermissionRequest,
    call: ServerCall,
  ): Promise<AuthRoleRevokePermissionResponse> {
    return this.#propose("authRoleRevokePermission", request, call);
  }

  /** Logs a user in. Whether there is such a user shows neither in the answer nor in the time it takes. */
  async authenticate({ name, password }: AuthenticateRequest, call: ServerCall): Promise<AuthenticateResponse> {
    const { member } = this.#parts;
    await member.linearizable();
    if (!member.auth.enabled) throw new WireError("AuthNotEnabled");
    const pair = `${hostOf(call.peer.address)} ${name.slice(0, rememberedNameMax)}`;
    await this.#throttle.admit(pair);
    for (let tries = 0; tries < loginTriesMax; tries++) {
      const { revision } = member.auth;
      if (!(await this.#isPassword(name, password, call))) throw this.#failed(name, call, pair);
      const response = await this.#logIn(name);
      if (member.auth.revision !== revision) continue;
      this.#throttle.succeeded(pair);
      return response;
    }
    throw new WireError("Timeout");
  }

  async #isPassword(name: string, password: string, call: ServerCall): Promise<boolean> {
    const { member, passwords, bcryptCost } = this.#parts;
    const record = member.auth.passwordOf(name);
    const hash = record.kind === "hash" ? utf8Text(record.hash) : nobodysHash(bcryptCost);
    // The rest of a long one counts for nothing, and need not be kept while it waits.
    const given = password.slice(0, 2 * passwordBytesMax);
    return (await passwords.matches(given, hash, { signal: call.signal })) && record.kind === "hash";
  }

  #failed(username: string, { peer }: ServerCall, pair: string): WireError {
    const { member } = this.#parts;
    member.failedLogins += 1;
    this.#throttle.failed(pair);
    member.ports.log.warn("a login failed", { username: username.slice(0, 64), peer: peer.address });
    return new WireError("AuthFailed");
  }

  async #logIn(name: string): Promise<AuthenticateResponse> {
    const { member, jwt } = this.#parts;
    const simpleToken = jwt === undefined ? this.#randomLetters() : "";
    const { revision } = member.auth;
    const response = await member.propose("authenticate", { name, password: "", simpleToken }, nobody);
    if (jwt === undefined) return response;
    const token = await jwt.issue({ username: name, authRevision: revision });
    if (token === undefined) throw new RpcError(GrpcStatus.Unknown, "auth: cannot sign tokens without a private key");
    return { ...response, token };
  }

  #randomLetters(): string {
    const { random } = this.#parts.member.ports;
    return Array.from({ length: simpleTokenLetters }, () => alphabet[random.below(alphabet.length)]).join("");
  }

  /**
   * What a command sets as password: its hash. Members of etcd 3.4 overlook that and would take the empty password for
   * the user's, so as long as there may be one the log holds the password itself too, as it does in their clusters.
   */
  async #secretOf(password: string, call: ServerCall): Promise<{ password?: string; hashedPassword: string }> {
    const hashedPassword = await this.#hash(password, call);
    const { clusterVersion } = this.#parts.member.membership;
    if (clusterVersion === undefined) throw new WireError("NotCapable");
    return compareApiLevels(clusterVersion, hashesBeforeLog) < 0 ? { password, hashedPassword } : { hashedPassword };
  }

  async #hash(password: string, { signal }: ServerCall): Promise<string> {
    if (Buffer.byteLength(password) > passwordBytesMax)
      throw new RpcError(GrpcStatus.Unknown, `bcrypt: password length exceeds ${passwordBytesMax} bytes`);
    const { passwords, bcryptCost: cost } = this.#parts;
    return Buffer.from(await passwords.hash(password, { cost, signal })).toString("base64");
  }

  async #permit<K extends AuthCommandKind>(kind: K, request: CommandRequest<K>, call: ServerCall) {
    const { access } = this.#parts;
    return access.enabled ? access.permitCommand(call, { kind, request } as RuledCommand) : nobody;
  }

  async #propose<K extends AuthCommandKind>(
    kind: K,
    request: CommandRequest<K>,
    call: ServerCall,
  ): Promise<CommandResponse<K>> {
    return this.#parts.member.propose(kind, request, await this.#permit(kind, request, call));
  }
}

/** A hash that takes as long to check as any, and that no password has. */
function nobodysHash(cost: number): string {
  return `$2b$${String(cost).padStart(2, "0")}$${"abcdefghijklmnopqrstuu"}${".".repeat(31)}`;
}

/** The address without the port, which a client changes at will. */
function hostOf(address: string): string {
  return address.replace(/:\d+$/, "");
}
