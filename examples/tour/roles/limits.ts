// The typed configuration that the subscribers follow and the tour publishes.
import { z } from "zod";

/** What the configuration may be. */
export const limitsSchema = z.object({ requestsPerSec: z.number().int().min(1).max(10_000) });

/** Its key. */
export const limitsKey = "config/limits";
