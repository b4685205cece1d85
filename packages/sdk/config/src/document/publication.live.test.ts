import {
  type Client,
  type ClientTransport,
  connect,
  createGrpcTransport,
  prefix,
  TransportError,
  type UnaryCall,
} from "@conclave/client";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { anyJson, createConfig } from "../index.ts";

const grpcUnavailable = 14;

/** A network that loses the answers of transactions, after the member has run them, as often as told. */
function losingAnswers(): ClientTransport & { lose: number } {
  const inner = createGrpcTransport();
  const transport = {
    lose: 0,
    async unary(call: UnaryCall): Promise<Uint8Array> {
      const answer = await inner.unary(call);
      if (!call.path.endsWith("/Txn") || call.request.length < 200 || transport.lose === 0) return answer;
      transport.lose -= 1;
      throw new TransportError(grpcUnavailable, "the answer was lost");
    },
    stream: inner.stream.bind(inner),
    close: () => inner.close(),
  };
  return transport;
}

describe.each(backEnds())("publishing on $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "one member", { timeout: 30_000 }, () => {
    let member: BackEndMember;
    let client: Client;
    const transport = losingAnswers();
    beforeAll(async () => {
      member = await start();
      client = await connect({ endpoints: member.endpoints, transport });
    });
    afterAll(async () => {
      await client.close();
      await member[Symbol.asyncDispose]();
    });

    test("T18: takes effect once though its answers are lost, and knows that it did", async () => {
      const config = createConfig(client, "config/unknown", { schema: anyJson });
      const value = "x".repeat(200);
      transport.lose = 2;
      const first = await config.publish(value, { ifRevision: 0 });
      expect(transport.lose).toBe(0);
      expect(await config.get()).toEqual(first);
      transport.lose = 1;
      const second = await config.publish(`${value}!`, { ifRevision: first.revision });
      expect((await config.history()).map(({ revision }) => revision)).toEqual([second.revision, first.revision]);

      transport.lose = 1;
      const gray = await config.gray.start(`${value}?`, { durationMs: 60_000 });
      expect((await config.gray.get())?.revision).toBe(gray.revision);
      transport.lose = 1;
      expect((await config.gray.promote()).value).toBe(`${value}?`);
      expect(await config.gray.get()).toBeUndefined();
      expect(await config.history()).toHaveLength(3);
      expect((await client.range(prefix("config/unknown"))).count).toBe(4);
    });
  });
});
