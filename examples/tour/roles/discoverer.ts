// Prints the live set of a service whenever it changes.
import { connect } from "@conclave/client";
import { createRegistry } from "@conclave/registry";

const [endpoint = ""] = process.argv.slice(2);
await using client = await connect({ endpoints: [endpoint] });
await using set = await createRegistry(client).discover("orders");
for await (const instances of set) {
  const names = instances.map(({ id, state }) => (state === "up" ? id : `${id} (${state})`));
  console.log(`live set: ${names.join(", ") || "nobody"}`);
}
