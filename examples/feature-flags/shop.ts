/** @module Instances of the shop: each an HTTP server whose answers follow the flags. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "@conclave/client";
import type { LiveStatus } from "@conclave/config";
import { type Flags, flagsOf } from "./flags.ts";

/** An instance that serves. */
export interface Shop extends AsyncDisposable {
  /** Where. */
  readonly url: string;
  /** Where its flags come from. */
  readonly status: LiveStatus;
  /** Why it does not take what was published; undefined if it does. */
  readonly refusal: string | undefined;
}

/** Instances that serve. */
export interface Fleet extends AsyncDisposable {
  /** Each of them. */
  readonly shops: readonly Shop[];
}

/** Starts so many instances. */
export async function startFleet(endpoint: string, size: number): Promise<Fleet> {
  const ids = Array.from({ length: size }, (_, at) => `shop-${at}`);
  const shops = await Promise.all(ids.map((id) => startShop(endpoint, id)));
  return {
    shops,
    async [Symbol.asyncDispose]() {
      await Promise.all(shops.map((shop) => shop[Symbol.asyncDispose]()));
    },
  };
}

/** Starts an instance. */
async function startShop(endpoint: string, id: string): Promise<Shop> {
  const client = await connect({ endpoints: [endpoint] });
  const live = await flagsOf(client).live({ instance: { id }, acknowledge: true });
  const server = createServer((_request, response) => {
    // The value in force, whenever a request comes: there is nothing to reload.
    response.end(JSON.stringify(live.current?.value satisfies Flags | undefined));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    get status() {
      return live.status;
    },
    get refusal() {
      return live.rejected?.message;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await live[Symbol.asyncDispose]();
      await client.close();
    },
  };
}
