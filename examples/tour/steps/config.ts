import { connect, isConclaveError } from "@conclave/client";
import { createConfig } from "@conclave/config";
import { limitsKey, limitsSchema } from "../roles/limits.ts";
import { expectThat, type Stage } from "../stage.ts";

/** A typed configuration changes; two subscribers see it; an invalid one is refused. */
export async function showConfig(stage: Stage): Promise<void> {
  stage.tell("Two subscribers follow a typed configuration. Watch what is in force.");
  await using client = await connect({ endpoints: [stage.endpoint] });
  const config = createConfig(client, limitsKey, { schema: limitsSchema });
  await config.publish({ requestsPerSec: 100 });
  const subscribers = ["subscriber 1", "subscriber 2"].map((name) => stage.startRole(name, "subscriber"));
  await Promise.all(subscribers.map((subscriber) => subscriber.line(/in force: 100/)));
  stage.tell("The limit is changed to 250.");
  await config.publish({ requestsPerSec: 250 });
  await Promise.all(subscribers.map((subscriber) => subscriber.line(/in force: 250/)));

  stage.tell("Someone publishes -1.");
  const refusal = await config.publish({ requestsPerSec: -1 }).catch((error: unknown) => error);
  expectThat(isConclaveError(refusal, "INVALID_ARGUMENT"), "publishing -1 is refused");
  if (isConclaveError(refusal)) stage.tell(`Refused: ${refusal.message}`);
  stage.tell("Someone else writes it past the schema, with a plain put. The last good value stays.");
  await client.put(limitsKey, '{"requestsPerSec":-1}');
  await Promise.all(subscribers.map((subscriber) => subscriber.line(/keeps 250/)));
  await Promise.all(subscribers.map((subscriber) => subscriber.end()));
}
