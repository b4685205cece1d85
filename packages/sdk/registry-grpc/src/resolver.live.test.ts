import { type Client as ConclaveClient, connect } from "@conclave/client";
import { createRegistry, type Registration, type Registry } from "@conclave/registry";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { registerConclaveResolver } from "./index.ts";

const path = "/test.Echo/Who";
const text = { encode: (value: string) => Buffer.from(value), decode: (bytes: Buffer) => bytes.toString() };

/** A server that says who it is. */
async function startEcho(name: string): Promise<{ readonly port: number; stop(): void }> {
  const server = new grpc.Server();
  const codecs = {
    ...{ requestSerialize: text.encode, requestDeserialize: text.decode },
    ...{ responseSerialize: text.encode, responseDeserialize: text.decode },
  };
  server.addService(
    { who: { path, requestStream: false, responseStream: false, ...codecs } },
    { who: (_call: unknown, callback: grpc.sendUnaryData<string>) => callback(null, name) },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return { port, stop: () => server.forceShutdown() };
}

function who(channel: grpc.Client, options: grpc.CallOptions = {}): Promise<string> {
  return new Promise((resolve, reject) =>
    channel.makeUnaryRequest(path, text.encode, text.decode, "who?", new grpc.Metadata(), options, (error, value) =>
      error === null ? resolve(value ?? "") : reject(error),
    ),
  );
}

/** Calls until exactly these answer. */
async function untilAnsweredBy(channel: grpc.Client, names: readonly string[]): Promise<void> {
  const answers = async (): Promise<readonly string[]> => {
    const calls = Array.from({ length: 2 * names.length }, () => who(channel, { deadline: Date.now() + 5_000 }));
    const outcomes = await Promise.allSettled(calls);
    return [
      ...new Set(outcomes.map((each) => (each.status === "fulfilled" ? each.value : String(each.reason)))),
    ].sort();
  };
  await expect.poll(answers, { timeout: 20_000 }).toEqual(names);
}

describe.each(backEnds())("a channel to a service in $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "one member", { timeout: 30_000 }, () => {
    let member: BackEndMember;
    let client: ConclaveClient;
    let registry: Registry;
    let servers: readonly { readonly port: number; stop(): void }[];
    beforeAll(async () => {
      member = await start();
      client = await connect({ endpoints: [member.endpoint] });
      registry = createRegistry(client);
      servers = await Promise.all(["a", "b", "c"].map(startEcho));
      registerConclaveResolver(registry);
    });
    afterAll(async () => {
      for (const server of servers) server.stop();
      await client.close();
      await member[Symbol.asyncDispose]();
    });

    const register = (service: string, id: string, zone = ""): Promise<Registration> => {
      const { port } = servers["abc".indexOf(id)] ?? { port: 0 };
      return registry.register({ service, id, zone, addresses: { grpc: `127.0.0.1:${port}` } });
    };

    test("balances over the live instances, and follows them", async () => {
      await using _a = await register("orders", "a");
      await using b = await register("orders", "b");
      const channel = new grpc.Client("conclave:///orders", grpc.credentials.createInsecure());
      await untilAnsweredBy(channel, ["a", "b"]);
      await using _c = await register("orders", "c");
      await untilAnsweredBy(channel, ["a", "b", "c"]);
      await b.drain({ graceMs: 0 });
      await untilAnsweredBy(channel, ["a", "c"]);
      channel.close();
    });

    test("says that there is nobody, and finds who comes", async () => {
      const channel = new grpc.Client("conclave:///late", grpc.credentials.createInsecure());
      await expect(who(channel)).rejects.toMatchObject({
        code: grpc.status.UNAVAILABLE,
        details: expect.stringContaining('Cannot resolve the service "late": there is no instance'),
      });
      await using _a = await register("late", "a");
      await untilAnsweredBy(channel, ["a"]);
      channel.close();
    });

    test("keeps to its zone while somebody is there", async () => {
      registerConclaveResolver(registry, { scheme: "near", zone: "eu" });
      await using near = await register("zoned", "a", "eu");
      await using _far = await register("zoned", "b", "us");
      const channel = new grpc.Client("near:zoned", grpc.credentials.createInsecure());
      await untilAnsweredBy(channel, ["a"]);
      await near.drain({ graceMs: 0 });
      await untilAnsweredBy(channel, ["b"]);
      channel.close();
    });

    test("fails when the name is none", async () => {
      const channel = new grpc.Client("conclave:///a/b", grpc.credentials.createInsecure());
      await expect(who(channel)).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
      channel.close();
    });
  });
});

test.each([
  [{ scheme: "No" }, "scheme"],
  [{ loadBalancingConfig: [] }, "loadBalancingConfig"],
])("a resolver of %j is refused", (options, what) => {
  const registry = { discover: () => Promise.reject(new Error("nothing is to be discovered")) };
  expect(() => registerConclaveResolver(registry, options)).toThrow(what);
});
