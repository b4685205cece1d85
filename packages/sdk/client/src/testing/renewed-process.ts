/** @module A program whose session is renewed by a thread, and that ends by itself once it has closed its client. */
import { createClient } from "../client.ts";

const client = createClient({ endpoints: process.argv[2] ?? "" });
const session = await client.session({ ttlSec: 2, renewer: { maxStallMs: 1_000 } });
await new Promise<void>((resolve) => {
  session.on("renewed", ({ byThread }) => byThread === true && resolve());
});
console.log("renewed by a thread");
await client.close();
