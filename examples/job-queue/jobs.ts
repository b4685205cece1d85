/** @module What publishers and workers share: the jobs, and how the work on them is shared. */
import { type ClientView, schemaCodec } from "@conclave/client";
import { type ConsumerGroup, createTopic, type Topic } from "@conclave/pubsub";
import { z } from "zod";

const jobSchema = z.object({ picture: z.string(), width: z.number().int().positive() });

/** A picture to be made smaller. */
export type Job = z.infer<typeof jobSchema>;

/** The topic of the jobs; of all that was ever published it keeps the last thousand. */
export function jobsOf(client: ClientView): Topic<Job> {
  return createTopic(client, "jobs.resize", { codec: schemaCodec<Job>(jobSchema), retention: { maxMessages: 1_000 } });
}

/** Where jobs go that were tried three times. */
export const deadJobs = "jobs.resize.dead";

/** The group of the workers: a job whose worker says nothing for 10 s, or is dead for 2 s, goes to another one. */
export function workersOf(client: ClientView): ConsumerGroup<Job> {
  const deadLetter = { maxDeliveries: 3, topic: deadJobs };
  return jobsOf(client).group("resizers", { visibilityMs: 10_000, ttlSec: 2, maxInFlight: 4, deadLetter });
}
