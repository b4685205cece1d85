import { hex } from "@conclave/base";
import { type CallOptions, type ClientView, ConclaveError } from "@conclave/client";
import { z } from "zod";
import { checkDefinition, checkServiceName, type InstanceDefinition } from "./instance.ts";
import { type LiveSet, openLiveSet } from "./live-set.ts";
import { LeasedRegistration, type Registration } from "./registration.ts";

/** How a registry is made. */
export interface RegistryOptions {
  /** What the keys start with; they are `<prefix><service>/<id>`. Default `services/`. */
  readonly prefix?: string;
  /** Seconds after which an instance whose process has died leaves the set. Default 15. */
  readonly ttlSec?: number;
}

/** How an instance is registered. */
export interface RegisterOptions extends CallOptions {
  /** Whether an instance of the same id that someone else registered is replaced; default: false. */
  readonly replace?: boolean;
}

/** Service registration and discovery. */
export interface Registry {
  /**
   * Registers an instance and keeps it registered: its lease is renewed, and granted anew for ever should it be lost.
   * Every registration of this client with the same TTL shares one lease.
   *
   * @throws ConclaveError `ALREADY_EXISTS` if someone else registered the id, `INVALID_ARGUMENT`
   */
  register(definition: InstanceDefinition, options?: RegisterOptions): Promise<Registration>;
  /**
   * Follows the instances of a service, or of all services.
   *
   * @param service - its name; left out: all
   */
  discover(service?: string, options?: CallOptions): Promise<LiveSet>;
}

const optionsSchema = z.strictObject({
  prefix: z.string().endsWith("/", "must end with /").optional(),
  ttlSec: z.number().int().min(1).optional(),
});

/**
 * Makes a registry. It takes no lease and no connection until it is used.
 *
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function createRegistry(client: ClientView, options: RegistryOptions = {}): Registry {
  const checked = optionsSchema.safeParse(options);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw new ConclaveError("INVALID_ARGUMENT", `Invalid registry: ${issue?.path.join(".")} ${issue?.message}`);
  }
  const { prefix = "services/", ttlSec = 15 } = options;
  const newToken = (): string => hex(client.ports.random.bytes(8));

  return {
    async register(definition, { replace = false, ...callOptions } = {}) {
      const instance = checkDefinition(definition, newToken);
      const session = client.sharedSession({ ttlSec });
      const key = `${prefix}${instance.service}/${instance.id}`;
      const parts = { client, session, key, instance: { ...instance, owner: newToken() }, replace };
      const registration = new LeasedRegistration(parts);
      try {
        await registration.start(callOptions);
        return registration;
      } catch (error) {
        await session.close().catch(() => {}); // The lease runs out by itself.
        throw error;
      }
    },
    discover: (service, callOptions = {}) =>
      openLiveSet(client, service === undefined ? prefix : `${prefix}${checkServiceName(service)}/`, callOptions),
  };
}
