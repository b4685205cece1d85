import type { IncomingMessage, ServerResponse } from "node:http";
import { InvariantError } from "@conclave/base";
import { type Answer, sendAnswer, textAnswer } from "./answer.ts";
import type { Home } from "./home.ts";
import { MemberRoutes } from "./member-routes.ts";
import { RaftRoutes } from "./raft-routes.ts";
import type { Transport } from "./transport.ts";

/** Answers everything that other members ask. */
export class PeerHandler {
  readonly #home: Home;
  readonly #raft: RaftRoutes;
  readonly #members: MemberRoutes;

  constructor(home: Home, transport: Transport) {
    this.#home = home;
    this.#raft = new RaftRoutes(home, transport);
    this.#members = new MemberRoutes(home);
  }

  /** Answers one request. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = "/"] = (request.url ?? "/").split("?", 1);
    // A connection that breaks while it is written to; the request tells of it, too.
    response.on("error", () => undefined);
    try {
      const exchange = { request, path, response };
      const isRaft = path === "/raft" || path.startsWith("/raft/");
      const answer = await (isRaft ? this.#raft.answer(exchange) : this.#members.answer(exchange));
      if (answer !== undefined) sendAnswer(request, response, answer);
    } catch (error) {
      // A broken rule of this member is no matter of the one who asks.
      if (error instanceof InvariantError) throw error;
      sendAnswer(request, response, this.#failure(path, error));
    }
  }

  #failure(path: string, error: unknown): Answer {
    const cause = error instanceof Error ? error.message : String(error);
    this.#home.log.debug("a request of a member failed", { path, cause });
    return textAnswer(500, "Internal Server Error");
  }
}
