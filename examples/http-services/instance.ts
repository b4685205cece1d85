/** @module An instance of a service: an HTTP server, and its registration. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "@conclave/client";
import { createRegistry } from "@conclave/registry";

/** Answers a request. */
export type Answer = (path: string) => string | Promise<string>;

/** A running instance. */
export interface Instance extends AsyncDisposable {
  /** Where it serves. */
  readonly url: string;
  /** How many requests it has answered. */
  readonly answered: number;
  /** Leaves in order: no new requests, a while for those under way, then the end. */
  drain(): Promise<void>;
  /** Ends without a word, as a crash does. */
  crash(): Promise<void>;
}

/** Starts an instance and registers it, with a client of its own as in a process of its own. */
export async function startInstance(
  endpoint: string,
  { service, id, answer }: { readonly service: string; readonly id: string; readonly answer: Answer },
): Promise<Instance> {
  let answered = 0;
  const server = createServer((request, response) => {
    void (async () => {
      response.end(await answer(request.url ?? "/"));
      answered += 1;
    })();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = await connect({ endpoints: [endpoint] });
  const registration = await createRegistry(client, { ttlSec: 5 }).register(
    { service, id, addresses: { http: url } },
    { graceMs: 300 },
  );
  const stop = async () => {
    server.closeAllConnections();
    if (server.listening) await once(server.close(), "close");
  };
  return {
    url,
    get answered() {
      return answered;
    },
    async drain() {
      await registration.drain();
      await stop();
    },
    crash: stop,
    async [Symbol.asyncDispose]() {
      await registration.deregister();
      await stop();
      await client.close();
    },
  };
}
