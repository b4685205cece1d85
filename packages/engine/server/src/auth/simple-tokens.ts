import type { Clock } from "@conclave/base";

/** What simple tokens are kept by. */
export interface SimpleTokensOptions {
  readonly clock: Clock;
  /** Time after which a token that nobody uses is forgotten. Default: etcd's 300. */
  readonly ttlSec?: number | undefined;
}

interface Session {
  readonly username: string;
  deadlineMs: number;
}

/** Tokens at once; beyond that, the one that nobody has used for longest is forgotten. */
const tokensMax = 100_000;

/**
 * Whom this member knows by which token. Tokens are given out through the log, so that every member knows them, but
 * they are no replicated state: each member forgets one when nobody has shown it there for its time to live.
 */
export class SimpleTokens {
  readonly #clock: Clock;
  readonly #ttlMs: number;
  /** By token; the one that was used last comes last, so those that have run out are in front. */
  readonly #sessions = new Map<string, Session>();

  constructor({ clock, ttlSec = 300 }: SimpleTokensOptions) {
    this.#clock = clock;
    this.#ttlMs = ttlSec * 1000;
  }

  /** How many are known. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Knows a user by a token from now on. */
  assign(token: string, username: string): void {
    this.#forgetOld();
    this.#keep(token, { username, deadlineMs: 0 });
  }

  /** The user who shows a token, which lives on from now; undefined if it is not known, or not any more. */
  user(token: string): string | undefined {
    const session = this.#sessions.get(token);
    if (session === undefined) return undefined;
    this.#sessions.delete(token);
    if (session.deadlineMs <= this.#clock.monotonicMs()) return undefined;
    this.#keep(token, session);
    return session.username;
  }

  /** Forgets the tokens of a user. */
  revoke(username: string): void {
    for (const [token, session] of this.#sessions) if (session.username === username) this.#sessions.delete(token);
  }

  /** Forgets all tokens. */
  clear(): void {
    this.#sessions.clear();
  }

  #keep(token: string, session: Session): void {
    session.deadlineMs = this.#clock.monotonicMs() + this.#ttlMs;
    this.#sessions.set(token, session);
  }

  #forgetOld(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [token, { deadlineMs }] of this.#sessions) {
      if (deadlineMs > nowMs && this.#sessions.size < tokensMax) return;
      this.#sessions.delete(token);
    }
  }
}
