/** @module A program that uses a client for everything, lets go of what it holds, and does not close the client. */
import { connect } from "../client.ts";

const [endpoints = "", name] = process.argv.slice(2);
const client = await connect({ endpoints, transport: name === "http2" ? "http2" : "grpc-js" });
await client.put("idle", "1");
const watcher = client.watch("idle", { from: "snapshot" });
for await (const _batch of watcher) break;
const session = await client.session({ ttlSec: 5 });
await session.close();
await using shared = client.sharedSession({ ttlSec: 5 });
await shared.ready();
console.log("done");
