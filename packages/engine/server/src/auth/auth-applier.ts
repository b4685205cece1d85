import type { AuthCommand, AuthResponse, AuthStore } from "@conclave/auth";
import type { AuthenticateResponse } from "@conclave/protocol/etcdserverpb";
import type { InternalAuthenticateRequest } from "@conclave/protocol/etcdserverpb/internal";
import type { SimpleTokens } from "./simple-tokens.ts";

/** What the applier changes. */
export interface AuthApplierPorts {
  readonly auth: AuthStore;
  readonly tokens: SimpleTokens;
}

/** Applies the commands of users and roles, and takes tokens back that no longer stand for anybody. */
export class AuthApplier {
  readonly #auth: AuthStore;
  readonly #tokens: SimpleTokens;

  constructor({ auth, tokens }: AuthApplierPorts) {
    this.#auth = auth;
    this.#tokens = tokens;
  }

  /** @throws AuthError the command's refusal */
  apply(command: AuthCommand): AuthResponse {
    const response = this.#auth.apply(command);
    if (command.kind === "authDisable") this.#tokens.clear();
    if (command.kind === "authUserDelete" || command.kind === "authUserChangePassword")
      this.#tokens.revoke(command.request.name);
    return response;
  }

  /**
   * Lets every member know a user by a new token; the index of the entry makes it unique.
   *
   * @returns the token; empty if the member that was asked gives out tokens of another kind
   * @throws AuthError `AUTH_NOT_ENABLED` or `AUTH_FAILED`
   */
  authenticate({ name, simpleToken }: InternalAuthenticateRequest, index: number): AuthenticateResponse {
    this.#auth.checkLogin(name);
    const token = simpleToken === "" ? "" : `${simpleToken}.${index}`;
    if (token !== "") this.#tokens.assign(token, name);
    return { header: undefined, token };
  }
}
