// A service: registers itself, drains when told to by SIGUSR1, and leaves.
import { connect } from "@conclave/client";
import { createRegistry } from "@conclave/registry";

const [endpoint = "", id = ""] = process.argv.slice(2);
const client = await connect({ endpoints: [endpoint] });
const registry = createRegistry(client, { ttlSec: 2 });
const registration = await registry.register({ service: "orders", id, addresses: { http: `http://${id}:8080` } });
console.log("registered");
async function leave(): Promise<void> {
  registration.once("draining", () => console.log("draining: no new requests, please"));
  await registration.drain({ graceMs: 500 });
  console.log("left");
  await client.close();
}

process.once("SIGUSR1", () => void leave());
