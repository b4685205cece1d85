// A worker: `worker.ts <endpoint> <database> <name> <priority>`. Runs until SIGTERM.
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "@conclave/client";
import { createElection } from "@conclave/election";
import { Ledger } from "./ledger.ts";

const [endpoint = "", path = "", name = "", priority = "0"] = process.argv.slice(2);
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());

using ledger = new Ledger(path);
await using client = await connect({ endpoints: [endpoint] });
const election = createElection(client, "singleton/ledger", { ttlSec: 2 });
election.on("stands", () => console.log("stands"));

await election.lead(
  async ({ fence, signal }) => {
    console.log(`leads with fence ${fence}`);
    const write = (text: string): boolean => ledger.append({ worker: name, fence, text });
    for (let count = 1; !signal.aborted && write(`entry ${count}`); count++)
      await sleep(250, undefined, { signal }).catch(() => {});
    // What was under way when it was told to end: the fence decides, whatever this process believes.
    console.log(write("the last entry") ? "finished its work" : `was refused: fence ${fence} is old`);
  },
  {
    ...{ id: name, value: name, priority: Number(priority), signal: stop.signal },
    drain: async () => console.log("hands over"),
  },
);
