import type { Caller } from "@conclave/auth";
import type { Clock } from "@conclave/base";
import { type JWTPayload, jwtVerify, SignJWT } from "jose";
import type { JwtKeys } from "./token-options.ts";

/** A token that was found good. */
interface Verified {
  readonly caller: Caller;
  /** When it ends, in wall-clock ms. */
  readonly expiryMs: number;
}

/** Good tokens kept in mind, so that a client's every request costs no signature. */
const verifiedMax = 1_000;

/** Gives out and verifies JSON web tokens: they say who somebody was at which auth revision, and until when it holds. */
export class JwtTokens {
  readonly #keys: JwtKeys;
  readonly #clock: Clock;
  readonly #verified = new Map<string, Verified>();

  constructor(keys: JwtKeys, clock: Clock) {
    this.#keys = keys;
    this.#clock = clock;
  }

  /**
   * A new token.
   *
   * @returns undefined if this member has no key to sign with
   */
  async issue({ username, authRevision }: Caller): Promise<string | undefined> {
    const { algorithm, signKey, ttlSec } = this.#keys;
    if (signKey === undefined) return undefined;
    return new SignJWT({ username, revision: authRevision })
      .setProtectedHeader({ alg: algorithm, typ: "JWT" })
      .setExpirationTime(Math.floor(this.#clock.wallMs() / 1000) + ttlSec)
      .sign(signKey);
  }

  /** Who shows a token; undefined if it is not good. At once for one that was shown before. */
  verify(token: string): Caller | undefined | Promise<Caller | undefined> {
    const known = this.#verified.get(token);
    if (known === undefined) return this.#check(token);
    if (known.expiryMs > this.#clock.wallMs()) return known.caller;
    this.#verified.delete(token);
    return undefined;
  }

  async #check(token: string): Promise<Caller | undefined> {
    const { algorithm, verifyKey } = this.#keys;
    const currentDate = new Date(this.#clock.wallMs());
    const claims = await jwtVerify(token, verifyKey, { algorithms: [algorithm], currentDate }).then(
      ({ payload }) => claimsOf(payload),
      // Whatever is wrong with it, it is not good; the client must not learn more.
      () => undefined,
    );
    if (claims !== undefined) this.#remember(token, claims);
    return claims?.caller;
  }

  #remember(token: string, verified: Verified): void {
    const [oldest] = this.#verified.keys();
    if (this.#verified.size >= verifiedMax && oldest !== undefined) this.#verified.delete(oldest);
    this.#verified.set(token, verified);
  }
}

function claimsOf({ username, revision, exp }: JWTPayload): Verified | undefined {
  if (typeof username !== "string" || typeof exp !== "number") return undefined;
  if (typeof revision !== "number" || !Number.isSafeInteger(revision) || revision < 1) return undefined;
  return { caller: { username, authRevision: revision }, expiryMs: exp * 1000 };
}
