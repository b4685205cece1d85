// The same process as it is often written: a timer renews the lease, and nobody thinks of the end.
import { connect } from "@conclave/client";

const [endpoint = "", until = ""] = process.argv.slice(2);
const client = await connect({ endpoints: [endpoint] });
const ttlSec = 30;
const { id: lease } = await client.lease.grant({ ttlSec });
await client.put("services/orders/one", "{}", { lease });
setInterval(() => void client.lease.keepAliveOnce(lease).catch(() => {}), (ttlSec * 1_000) / 3);
console.log("registered");

if (until === "scope") {
  await client.close();
  console.log(`left ${JSON.stringify(process.getActiveResourcesInfo().filter((name) => name === "Timeout"))}`);
}
