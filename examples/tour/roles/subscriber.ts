// Follows a configuration and prints what is in force.

import { connect } from "@conclave/client";
import { createConfig } from "@conclave/config";
import { limitsKey, limitsSchema } from "./limits.ts";

const [endpoint = ""] = process.argv.slice(2);
await using client = await connect({ endpoints: [endpoint] });
await using live = await createConfig(client, limitsKey, { schema: limitsSchema }).live();
live.on("rejected", ({ message }) => console.log(`keeps ${live.current?.value.requestsPerSec}/s: ${message}`));
for await (const { value } of live) console.log(`in force: ${value.requestsPerSec}/s`);
