import { type ClientView, ConclaveError, isConclaveError } from "@conclave/client";
import { z } from "zod";
import type { Composition } from "./composition.ts";
import { ConfigFollower } from "./follower.ts";
import { loadSnapshot } from "./last-known-good.ts";
import type { LiveConfig, LiveOptions } from "./live-config.ts";
import { within } from "./within.ts";

const waitMsDefault = 3_000;
const acknowledgeTtlSecDefault = 15;

/** Most characters of an instance's id: it becomes part of a key. */
const idLengthMax = 512;
const instanceSchema = z.object({
  id: z.string().min(1).max(idLengthMax),
  labels: z.record(z.string(), z.string()).optional(),
});
const optionsSchema = z
  .object({
    instance: instanceSchema.optional(),
    debounceMs: z.number().min(0).optional(),
    lastKnownGood: z.object({ path: z.string().min(1), waitMs: z.number().min(0).optional() }).optional(),
    acknowledge: z.union([z.boolean(), z.object({ ttlSec: z.number().int().min(1).optional() })]).optional(),
  })
  .refine(({ acknowledge, instance }) => !acknowledge || instance !== undefined, {
    path: ["acknowledge"],
    message: "needs an instance",
  });

/**
 * Follows a configuration; resolves when what is stored has been looked at, or else what is in the file.
 *
 * @throws ConclaveError `INVALID_ARGUMENT`; `TIMEOUT` if the cluster is away and there is no good file
 */
export async function openLiveConfig<Value>(
  client: ClientView,
  composition: Composition<Value>,
  options: LiveOptions,
): Promise<LiveConfig<Value>> {
  checkOptions(options);
  const { instance, debounceMs = 0, lastKnownGood, acknowledge = false, signal } = options;
  const { ttlSec = acknowledgeTtlSecDefault } = typeof acknowledge === "boolean" ? {} : acknowledge;
  const follower = new ConfigFollower(client, composition, {
    instance,
    debounceMs,
    path: lastKnownGood?.path,
    acknowledgeTtlSec: acknowledge === false ? undefined : ttlSec,
    signal,
  });
  try {
    await fill(client, follower, options);
    return follower;
  } catch (error) {
    if (lastKnownGood !== undefined && isConclaveError(error, "TIMEOUT"))
      return await startCold(follower, composition, { path: lastKnownGood.path, error });
    await follower[Symbol.asyncDispose]();
    throw error;
  }
}

function checkOptions(options: LiveOptions): void {
  const checked = optionsSchema.safeParse(options);
  if (checked.success) return;
  const [issue] = checked.error.issues;
  const message = `Invalid live configuration: ${issue?.path.join(".")} ${issue?.message}`;
  throw new ConclaveError("INVALID_ARGUMENT", message);
}

async function fill<Value>(
  client: ClientView,
  follower: ConfigFollower<Value>,
  { signal, timeoutMs, lastKnownGood }: LiveOptions,
): Promise<void> {
  const { waitMs = waitMsDefault } = lastKnownGood ?? {};
  const patienceMs = lastKnownGood === undefined ? timeoutMs : Math.min(timeoutMs ?? waitMs, waitMs);
  await within(client, "opening a configuration", { signal, timeoutMs: patienceMs }, follower.filled);
}

async function startCold<Value>(
  follower: ConfigFollower<Value>,
  { name, documents }: Composition<Value>,
  { path, error }: { readonly path: string; readonly error: ConclaveError },
): Promise<LiveConfig<Value>> {
  try {
    const keys = documents.map(({ key }) => key);
    await follower.startFrom(await loadSnapshot(path, keys));
  } catch (cause) {
    await follower[Symbol.asyncDispose]();
    throw unusable(`${String(cause)}`, cause);
  }
  if (follower.current !== undefined) return follower;
  await follower[Symbol.asyncDispose]();
  throw unusable(follower.rejected?.message ?? "it holds no value", error);

  function unusable(reason: string, cause: unknown): ConclaveError {
    const message = `Cannot open "${name}": no member answers, and "${path}" is of no use: ${reason}`;
    return new ConclaveError("TIMEOUT", message, { cause, retryable: true });
  }
}
