/** @module The semaphore: so many at a time, in the order in which they came. */
import {
  type CallOptions,
  type ClientView,
  ConclaveError,
  prefix,
  readContenders,
  takeOwnership,
} from "@conclave/client";
import * as z from "zod";
import { type Acquirable, createAcquirable } from "./acquirable.ts";
import { check, contenderFields, nameSchema } from "./check.ts";
import {
  type ContenderOptions,
  describeContender,
  type LockContender,
  leaseOptions,
  parseDescription,
  toLockContender,
} from "./contender.ts";
import { type HeldLock, Holding } from "./held-lock.ts";
import { askToRelease, type RequestReleaseOptions } from "./release-request.ts";

/** How a semaphore is made. */
export interface SemaphoreOptions extends ContenderOptions {
  /** How many may hold it at once, from 1 to 1 000. The same for everybody who contends. */
  readonly permits: number;
}

/** Who holds permits and who waits, at one revision. */
export interface SemaphoreState {
  /** The revision at which it was so. */
  readonly revision: number;
  /** Those who hold a permit. */
  readonly holders: readonly LockContender[];
  /** Those who wait, in the order in which they will hold one. */
  readonly waiters: readonly LockContender[];
}

/** A number of permits; each is held by one at a time, first come, first served. */
export interface Semaphore extends Acquirable<HeldLock> {
  /** The semaphore's name. */
  readonly name: string;
  /** How many may hold it at once. */
  readonly permits: number;
  /** Who holds permits and who waits. */
  inspect(options?: CallOptions): Promise<SemaphoreState>;
  /** Asks all who hold a permit to give way. @returns who was asked */
  requestRelease(options?: RequestReleaseOptions): Promise<readonly LockContender[]>;
}

const optionsSchema = z.strictObject({ ...contenderFields, permits: z.number().int().min(1).max(1_000) });

/**
 * Makes a semaphore. It takes no lease and no connection until it is acquired. Each permit expires with the lease of its
 * holder, and each holder has a fence of its own: guarded writes are refused once its permit is lost, but those of others
 * who hold a permit are not.
 *
 * @param name - the same for everybody who contends; keys are `<name>/<lease in hex>`. It must not be that of a mutex
 * @throws ConclaveError `INVALID_ARGUMENT`, also when acquired while others hold permits of another number
 */
export function createSemaphore(client: ClientView, name: string, options: SemaphoreOptions): Semaphore {
  check(nameSchema, name, "name of a semaphore");
  check(optionsSchema, options, "options of a semaphore");
  const { holder, permits } = options;
  const queue = { place: `${name}/`, ahead: prefix(`${name}/`), permits };

  const inspect = async (callOptions?: CallOptions): Promise<SemaphoreState> => {
    const read = await readContenders(client, name, callOptions);
    const contenders = read.contenders.map((contender) => toLockContender(client, contender));
    return { revision: read.revision, holders: contenders.slice(0, permits), waiters: contenders.slice(permits) };
  };

  return {
    name,
    permits,
    ...createAcquirable(async ({ waitMs, signal }) => {
      await checkPermits(client, { name, permits }, signal);
      const value = describeContender(client, options, { permits });
      const ownership = await takeOwnership(client, name, { ...leaseOptions(options), value, queue, waitMs, signal });
      return new Holding({ client, name, ownership });
    }),
    inspect,
    async requestRelease({ reason, ...call } = {}) {
      const { holders } = await inspect(call);
      const asked = holders.map((each) => askToRelease(client, { name, by: holder }, each, { reason, ...call }));
      const wereThere = await Promise.all(asked);
      return holders.filter((_, at) => wereThere[at]);
    },
  };
}

/** Two programs that differ in the number of permits would let in as many as the greater number says. */
async function checkPermits(
  client: ClientView,
  { name, permits }: Pick<Semaphore, "name" | "permits">,
  signal: AbortSignal | undefined,
): Promise<void> {
  const first = await client.range(prefix(`${name}/`), { sortBy: "createRevision", limit: 1, signal });
  const [kv] = first.kvs;
  const found = kv === undefined ? permits : parseDescription(kv.valueString)?.permits;
  if (found === permits) return;
  const message = `Cannot hold a permit of "${name}": it has ${found ?? "no"} permits for others, here ${permits}`;
  throw new ConclaveError("INVALID_ARGUMENT", message);
}
