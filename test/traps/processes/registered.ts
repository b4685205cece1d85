// A process that is registered until it is told to end, or only for a moment, and then has nothing more to do.
import { connect } from "@conclave/client";
import { createRegistry } from "@conclave/registry";

const [endpoint = "", until = ""] = process.argv.slice(2);
const client = await connect({ endpoints: [endpoint] });
const registry = createRegistry(client, { ttlSec: 30 });
const instance = { service: "orders", id: "one", addresses: { http: "http://10.0.0.7:8080" } };

if (until === "sigterm") {
  await registry.register(instance, { drainOnSigterm: true, graceMs: 200 });
  console.log("registered");
} else {
  {
    await using _registration = await registry.register(instance);
    console.log("registered");
  }
  await client.close();
  console.log(`left ${JSON.stringify(process.getActiveResourcesInfo().filter((name) => name === "Timeout"))}`);
}
