/** @module Calls as the peers make them: in turns, again after any failure, with a fresh login for each that is refused. */
import type { ClientTransport } from "@conclave/client";
import { AuthenticateRequest, AuthenticateResponse } from "@conclave/protocol/etcdserverpb";

/** The client. */
export class NaiveClient {
  readonly #transport: ClientTransport;
  readonly #endpoints: readonly string[];
  readonly #attempts: number;
  #turn = 0;
  #token = "";

  constructor(transport: ClientTransport, endpoints: readonly string[], attempts: number) {
    this.#transport = transport;
    this.#endpoints = endpoints;
    this.#attempts = attempts;
  }

  /** Asks the next member, and the one after it if that fails. */
  async call(path: string, request: Uint8Array): Promise<Uint8Array> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#send(path, request);
      } catch (error) {
        if (attempt === this.#attempts) throw error;
        if (String(error).includes("invalid auth token")) await this.#logIn();
      }
    }
  }

  async #logIn(): Promise<void> {
    const login = AuthenticateRequest.encode({ name: "ada", password: "secret" }).finish();
    this.#token = AuthenticateResponse.decode(await this.#send("/etcdserverpb.Auth/Authenticate", login)).token;
  }

  #send(path: string, request: Uint8Array): Promise<Uint8Array> {
    const endpoint = this.#endpoints[this.#turn++ % this.#endpoints.length] ?? "";
    const metadata = { token: this.#token };
    return this.#transport.unary({
      endpoint,
      path,
      request,
      metadata,
      timeoutMs: 1_000,
      signal: new AbortController().signal,
    });
  }
}
