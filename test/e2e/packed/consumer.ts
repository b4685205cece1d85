/** @module A program that uses each package a user meets, as installed from its tarball: it must compile, and run. */
import { type Client, compare, connect, type KeyValue, op, schemaCodec } from "@conclave/client";
import { traceCallsWithOpenTelemetry } from "@conclave/client/opentelemetry";
import { createConfig } from "@conclave/config";
import { createElection } from "@conclave/election";
import { createLock } from "@conclave/lock";
import { createTopic } from "@conclave/pubsub";
import { createCounter } from "@conclave/recipes";
import { createRegistry } from "@conclave/registry";
import { registerConclaveResolver } from "@conclave/registry-grpc";
import { createServiceDispatcher } from "@conclave/registry-undici";
import { startServer } from "@conclave/server";
import * as z from "zod";

const [dataDir = "data"] = process.argv.slice(2);
const server = await startServer({
  name: "packed",
  dataDir,
  listenClientUrls: ["http://127.0.0.1:0"],
  listenPeerUrls: ["http://127.0.0.1:0"],
});
const client: Client = await connect({ endpoints: server.clientUrls });

const { responses } = await client
  .txn()
  .if(compare.version("greeting").equal(0))
  .then(op.put("greeting", "hello"), op.get("greeting"))
  .commit();
const read: KeyValue | undefined = responses[1];
console.log("client", read?.valueString);

const users = client.keyspace("users/", { value: schemaCodec(z.object({ name: z.string() })) });
await users.put("u1", { name: "ada" });
const name: string | undefined = (await users.get("u1"))?.value.name;
console.log("keyspace", name);

// The thread is started from a file of the package.
const session = await client.session({ ttlSec: 2, renewer: { maxStallMs: 5_000 } });
await new Promise<void>((resolve) => {
  session.on("renewed", ({ byThread }) => byThread === true && resolve());
});
console.log("renewer", session.held);

console.log("lock", await createLock(client, "locks/a").run(async ({ fence }) => fence > 0));
console.log("election", await createElection(client, "elections/a").leader());
console.log("counter", await createCounter(client, "counters/a").add(1));
const config = createConfig(client, "config/a", { schema: z.object({ size: z.number() }) });
await config.publish({ size: 1 });
console.log("topic", typeof (await createTopic<number>(client, "t").publish(1)));

const registry = createRegistry(client);
const registration = await registry.register({ service: "orders", addresses: { http: "http://127.0.0.1:1" } });
await registration[Symbol.asyncDispose]();
registerConclaveResolver(registry);
await createServiceDispatcher(registry).close();
traceCallsWithOpenTelemetry()[Symbol.dispose]();

await client.close();
await server.stop();
