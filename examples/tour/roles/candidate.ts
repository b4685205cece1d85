// A candidate: stands for election and leads until it dies.
import { connect } from "@conclave/client";
import { createElection } from "@conclave/election";

const [endpoint = "", name = ""] = process.argv.slice(2);
const client = await connect({ endpoints: [endpoint] });
console.log("stands");
await createElection(client, "elections/scheduler", { ttlSec: 2 }).lead(
  async ({ fence, ended }) => {
    console.log(`leads, fence ${fence}`);
    await ended;
  },
  { value: name },
);
