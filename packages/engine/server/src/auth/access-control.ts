/**
 * @module Who calls, and whether he may. While authentication is off, none of this is asked: services look at
 * {@link AccessControl.enabled} first, and everything passes.
 *
 * A caller is known by the token in his metadata, or without one by the common name of the certificate that he has
 * shown; not over the HTTP gateway, where the certificate need not be his own.
 */
import { AuthError, type Caller, nobody } from "@conclave/auth";
import { WireError } from "@conclave/protocol";
import type { ServerCall } from "@conclave/rpc";
import type { Member } from "../member.ts";
import { withWireErrors } from "../wire-error-mapping.ts";
import { authoriseRequest, type RuledCommand } from "./command-rules.ts";
import type { JwtTokens } from "./jwt-tokens.ts";

/** The part of a member that access is decided by. */
export type AccessMember = Pick<Member, "auth" | "lessor" | "tokens" | "linearizable" | "raftStatus">;

/** What calls are held against. */
export interface AccessControlOptions {
  readonly member: AccessMember;
  /** Verifies tokens; absent: they are simple ones. */
  readonly jwt?: JwtTokens | undefined;
  /** Whether the common name of a client's certificate says who calls, as with `--client-cert-auth`. Default: not. */
  readonly certificatesNameUsers?: boolean | undefined;
}

/** A rule: throws if the caller may not. */
export type Check = (caller: Caller) => void;

/** Decides about the calls of one member. */
export class AccessControl {
  readonly #member: AccessMember;
  readonly #jwt: JwtTokens | undefined;
  readonly #certificatesNameUsers: boolean;

  constructor({ member, jwt, certificatesNameUsers = false }: AccessControlOptions) {
    this.#member = member;
    this.#jwt = jwt;
    this.#certificatesNameUsers = certificatesNameUsers;
  }

  /** Whether anybody is asked, as far as this member has heard. */
  get enabled(): boolean {
    return this.#member.auth.enabled;
  }

  /**
   * Who calls.
   *
   * @throws WireError `InvalidAuthToken`
   */
  identify(call: Pick<ServerCall, "metadata" | "peer">): Caller | Promise<Caller> {
    const token = firstOf(call.metadata.get("token") ?? call.metadata.get("authorization"));
    if (token === undefined) return this.byCertificate(call);
    return this.#jwt === undefined ? this.#bySimpleToken(token) : this.#byJwt(this.#jwt, token);
  }

  /** Whom a call's certificate names; nobody without one. A certificate without a name is one of no known user. */
  byCertificate({ metadata, peer: { certificate } }: Pick<ServerCall, "metadata" | "peer">): Caller {
    if (!this.#certificatesNameUsers || certificate === undefined) return nobody;
    // etcd's gateway marks what it passes on with this.
    if (metadata.get("grpcgateway-accept") !== undefined) return nobody;
    return { username: certificate.commonName, authRevision: this.#member.auth.revision };
  }

  /**
   * Lets a call pass that a rule allows, by what this member knows.
   *
   * @throws WireError `InvalidAuthToken`, `UserEmpty`, `AuthOldRevision` or `PermissionDenied`
   */
  async permitHere(call: ServerCall, check: Check): Promise<Caller> {
    const caller = await this.identify(call);
    withWireErrors(() => {
      this.#refuseOutdated(caller);
      check(caller);
    });
    return caller;
  }

  /**
   * Lets a call pass that a rule allows. Before it is refused, this member makes sure that it has not only been late to
   * hear of the change that would allow it.
   *
   * @throws WireError as {@link AccessControl.permitHere}
   */
  permit(call: ServerCall, check: Check): Promise<Caller> {
    return this.#insist(() => this.permitHere(call, check));
  }

  /**
   * Lets a stream go on whose user is known from before: his token may have run out since, or have been given out
   * before other users changed, but what he may is asked anew.
   *
   * @throws WireError `UserEmpty` or `PermissionDenied`
   */
  async permitUser(username: string, check: Check): Promise<void> {
    await this.#insist(async () => withWireErrors(() => check(this.userNow(username))));
  }

  /** A user as of now; nobody for an empty name. */
  userNow(username: string): Caller {
    return username === "" ? nobody : { username, authRevision: this.#member.auth.revision };
  }

  async #insist<R>(ask: () => Promise<R>): Promise<R> {
    try {
      return await ask();
    } catch (error) {
      if (!isDenial(error)) throw error;
    }
    await this.#member.linearizable();
    return await ask();
  }

  /**
   * Lets a command be proposed.
   *
   * @returns in whose name
   * @throws WireError as {@link AccessControl.permitHere}
   */
  permitCommand(call: ServerCall, command: RuledCommand): Promise<Caller> {
    return this.permit(call, (caller) => authoriseRequest(this.#member, command, caller));
  }

  /** Users and roles have changed since a token was given out: it has to be asked for again. */
  #refuseOutdated({ authRevision }: Caller): void {
    const { enabled, revision } = this.#member.auth;
    if (enabled && authRevision > 0 && authRevision < revision) throw new AuthError("OLD_REVISION");
  }

  #bySimpleToken(token: string): Caller | Promise<Caller> {
    const index = /^[A-Za-z]+\.(\d{1,15})$/.exec(token)?.[1];
    if (index === undefined) throw new WireError("InvalidAuthToken");
    // It may have been given out by an entry that this member has not applied yet.
    if (Number(index) > this.#member.raftStatus.applied)
      return this.#member.linearizable().then(() => this.#userOfSimpleToken(token));
    return this.#userOfSimpleToken(token);
  }

  #userOfSimpleToken(token: string): Caller {
    const username = this.#member.tokens.user(token);
    if (username === undefined) throw new WireError("InvalidAuthToken");
    return this.userNow(username);
  }

  async #byJwt(jwt: JwtTokens, token: string): Promise<Caller> {
    const caller = await jwt.verify(token);
    if (caller === undefined) throw new WireError("InvalidAuthToken");
    const { auth } = this.#member;
    // From a revision to come: this member is late, or else another cluster has given it out.
    if (auth.enabled && caller.authRevision > auth.revision) await this.#member.linearizable();
    if (auth.enabled && caller.authRevision > auth.revision) throw new WireError("InvalidAuthToken");
    return caller;
  }
}

/** Of values that a client has sent under one name the first counts; python3-etcd3 sends its token twice. */
function firstOf(values: string | undefined): string | undefined {
  return values?.split(", ", 1)[0];
}

const denials: ReadonlySet<string> = new Set(["InvalidAuthToken", "UserEmpty", "PermissionDenied"]);

function isDenial(error: unknown): boolean {
  return error instanceof WireError && denials.has(error.code);
}
