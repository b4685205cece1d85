/** @module A worker with a client of its own, as it would be in a process of its own. */
import { connect } from "@conclave/client";
import { writeResult } from "./done.ts";
import { type Job, workersOf } from "./jobs.ts";

/** Makes a picture smaller, as far as this example goes. */
function resize({ picture, width }: Job): string {
  if (picture.endsWith(".txt")) throw new Error(`${picture} is no picture`);
  return `${picture} at ${width} px`;
}

/** Starts a worker that processes until it is disposed of. */
export async function startWorker(endpoint: string, name: string): Promise<AsyncDisposable> {
  const client = await connect({ endpoints: [endpoint] });
  const member = await workersOf(client).join();
  const working = member.process(
    async ({ id, message, deliveries }) => {
      const result = resize(message);
      if (await writeResult(client, id, result)) console.log(`  ${name} made ${result}, at try ${deliveries}`);
    },
    { concurrency: 2, retryDelayMs: 50 },
  );
  return {
    async [Symbol.asyncDispose]() {
      await member.leave();
      await working;
      await client.close();
    },
  };
}
