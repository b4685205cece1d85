/** @module A registry: where services register, and where they are found. */
import { hex } from "@conclave/base";
import {
  type CallOptions,
  type ClientView,
  ConclaveError,
  requestsWithin,
  type SharedSessionOptions,
  type StandardSchema,
} from "@conclave/client";
import { z } from "zod";
import { createPicker, type Picker, type PickerOptions } from "./balancing/picker.ts";
import type { DiscoverOptions, LiveSet } from "./discovery/live-set.ts";
import { openLiveSet } from "./discovery/watched-set.ts";
import { type InstanceWrite, writeTogether } from "./group-write.ts";
import {
  check,
  checkDefinition,
  checkServiceName,
  type InstanceDefinition,
  type InstanceMetadata,
  instanceName,
  type MetadataCheck,
} from "./instance.ts";
import { defaultPrefixes, type InstanceLayout, type InstanceStore } from "./layout.ts";
import { type InstanceListing, listInstances } from "./listing.ts";
import { asTexts, checkTexts, checkWith } from "./metadata.ts";
import { LeasedRegistration, type Registration } from "./registration.ts";
import { type ServiceSelector, select } from "./selection.ts";
import { Termination } from "./termination.ts";

/** How a registry is made. */
export interface RegistryOptions<Metadata = InstanceMetadata> {
  /**
   * What the keys start with; they are `<prefix><service>/<id>`. Default: `services/`; of the layout `kratos`
   * `/microservices/`, of `etcd-endpoints` nothing.
   */
  readonly prefix?: string | undefined;
  /** Seconds after which an instance whose process has died leaves the store. A whole number from 1. Default: 15. */
  readonly ttlSec?: number | undefined;
  /**
   * Lets a thread renew the lease of registrations, so that a blocked event loop does not take them out of the store until it
   * has hung for `maxStallMs` milliseconds: see `renewer` of the client's `SessionOptions`. Default: the main loop renews.
   */
  readonly renewer?: SharedSessionOptions["renewer"];
  /**
   * What metadata may be, checked when it is registered and when it is read: a schema of any library that follows Standard
   * Schema, and that answers at once. Default: texts by name.
   */
  readonly metadata?: StandardSchema<Metadata> | undefined;
  /**
   * Who lays out the instances. Those of others can be found and listed, not registered: `etcd-endpoints` is that of etcd's
   * Go package `naming/endpoints`, `kratos` that of its registry on etcd. Default: `conclave`.
   */
  readonly layout?: InstanceLayout | undefined;
}

/** How an instance is registered. */
export interface RegisterOptions extends CallOptions {
  /** Whether an instance of the same id that someone else registered is replaced; default: false. */
  readonly replace?: boolean | undefined;
  /**
   * How long draining takes, in milliseconds. Default: 5 000, as others see the mark at once and most requests are short.
   */
  readonly graceMs?: number | undefined;
  /**
   * Whether the instance drains when the process is sent SIGTERM. The process ends when all that drain have left, unless
   * it listens to the signal itself. Default: false.
   */
  readonly drainOnSigterm?: boolean | undefined;
}

/** Service registration and discovery. */
export interface Registry<Metadata = InstanceMetadata> {
  /**
   * Registers an instance and keeps it registered: its lease is renewed, and granted anew for ever should it be lost.
   * Registrations of this client with the same TTL share a lease, up to 1 000 of them.
   *
   * @throws ConclaveError `ALREADY_EXISTS` if someone else registered the id, `INVALID_ARGUMENT`
   */
  register(definition: InstanceDefinition<Metadata>, options?: RegisterOptions): Promise<Registration<Metadata>>;
  /**
   * Registers many instances, all or none, in transactions of up to 100. From then on each is a registration like any other.
   *
   * @param definitions - from 1 to 1 000, no two of the same service and id
   * @param options - of each of them; nobody else's instance can be replaced
   * @returns the registrations, in the order of the definitions
   * @throws ConclaveError as `register`; what was written of them until then is taken out again
   */
  registerAll(
    definitions: readonly InstanceDefinition<Metadata>[],
    options?: Omit<RegisterOptions, "replace">,
  ): Promise<readonly Registration<Metadata>[]>;
  /**
   * Follows the instances of services, by one watch.
   *
   * @param services - a name, a pattern such as `orders-*`, or several of these; left out: all
   */
  discover(services?: ServiceSelector, options?: DiscoverOptions): Promise<LiveSet<Metadata>>;
  /**
   * Follows a service and chooses among its instances, for every request anew.
   *
   * @param service - its name
   */
  balance(service: string, options?: BalanceOptions): Promise<Picker<Metadata>>;
  /**
   * Reads the instances of services once, with what the store knows of them.
   *
   * @param services - a name, a pattern such as `orders-*`, or several of these; left out: all
   */
  list(services?: ServiceSelector, options?: CallOptions): Promise<InstanceListing<Metadata>>;
}

/** How to follow a service and to choose among its instances. */
export interface BalanceOptions extends DiscoverOptions, Omit<PickerOptions, "clock" | "random" | "service"> {}

const schemaSchema = z.custom(
  (value) => typeof value === "object" || typeof value === "function",
  "must be a Standard Schema",
);
const optionsSchema = z.strictObject({
  prefix: z
    .string()
    .refine((prefix) => prefix === "" || prefix.endsWith("/"), "must end with /")
    .optional(),
  ttlSec: z.number().int().min(1).optional(),
  renewer: z.strictObject({ maxStallMs: z.number().min(10) }).optional(),
  metadata: schemaSchema.optional(),
  layout: z.enum(["conclave", "etcd-endpoints", "kratos"]).optional(),
});
const registerSchema = z.object({
  replace: z.boolean().optional(),
  graceMs: z.number().min(0).optional(),
  drainOnSigterm: z.boolean().optional(),
});
const graceMsDefault = 5_000;

/**
 * Makes a registry. It takes no lease and no connection until it is used.
 *
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function createRegistry<Metadata = InstanceMetadata>(
  client: ClientView,
  options: RegistryOptions<Metadata> = {},
): Registry<Metadata> {
  check(optionsSchema, options, "registry");
  const { layout = "conclave", ttlSec = 15, renewer } = options;
  const store = { prefix: options.prefix ?? defaultPrefixes[layout], layout, metadata: metadataCheck(options) };
  const registrar = new Registrar(client, { store, lease: { ttlSec, renewer } });
  const discover: Registry<Metadata>["discover"] = async (services, callOptions = {}) =>
    openLiveSet({ client, store, selection: select(services) }, callOptions);
  return {
    register: (definition, registerOptions = {}) => registrar.register(definition, registerOptions),
    registerAll: (definitions, registerOptions = {}) => registrar.registerAll(definitions, registerOptions),
    discover,
    async balance(service, balanceOptions = {}) {
      const { policy, zone, ejection, ...rest } = balanceOptions;
      const set = await discover(checkServiceName(service), rest);
      try {
        return createPicker(set, { service, policy, zone, ejection, ...client.ports });
      } catch (error) {
        set.close();
        throw error;
      }
    },
    list: async (services, callOptions = {}) =>
      listInstances({ client, store, selection: select(services) }, callOptions),
  };
}

/** Most instances that are registered together. */
const togetherMax = 1_000;

/** @throws ConclaveError `INVALID_ARGUMENT` if these cannot be registered together */
function checkTogether(definitions: readonly InstanceDefinition<unknown>[]): void {
  if (definitions.length < 1 || definitions.length > togetherMax)
    throw new ConclaveError(
      "INVALID_ARGUMENT",
      `Cannot register ${definitions.length} instances together: must be from 1 to ${togetherMax}`,
    );
  const names = definitions.flatMap(({ service, id }) => (id === undefined ? [] : [instanceName({ service, id })]));
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) throw new ConclaveError("INVALID_ARGUMENT", `Cannot register "${twice}" twice in one call`);
}

function metadataCheck<Metadata>({ metadata, layout }: RegistryOptions<Metadata>): MetadataCheck<Metadata> {
  if (metadata !== undefined) return checkWith(metadata);
  const texts: MetadataCheck<unknown> = layout === "etcd-endpoints" ? asTexts : checkTexts;
  return texts as MetadataCheck<Metadata>; // Without a schema the type parameter is its default.
}

/** Registers the instances of one registry. */
class Registrar<Metadata> {
  readonly #client: ClientView;
  readonly #store: InstanceStore<Metadata>;
  readonly #lease: SharedSessionOptions;
  readonly #termination = new Termination();

  constructor(
    client: ClientView,
    made: { readonly store: InstanceStore<Metadata>; readonly lease: SharedSessionOptions },
  ) {
    this.#client = client;
    this.#store = made.store;
    this.#lease = made.lease;
  }

  async register(
    definition: InstanceDefinition<Metadata>,
    { replace, graceMs, drainOnSigterm, ...callOptions }: RegisterOptions,
  ): Promise<Registration<Metadata>> {
    const registration = this.#prepare(definition, { replace, graceMs, drainOnSigterm });
    try {
      await registration.start(callOptions);
      return registration;
    } catch (error) {
      registration.abandon();
      throw error;
    }
  }

  async registerAll(
    definitions: readonly InstanceDefinition<Metadata>[],
    { graceMs, drainOnSigterm, ...callOptions }: Omit<RegisterOptions, "replace">,
  ): Promise<readonly Registration<Metadata>[]> {
    checkTogether(definitions);
    const registrations: LeasedRegistration<Metadata>[] = [];
    try {
      for (const definition of definitions)
        registrations.push(this.#prepare(definition, { replace: false, graceMs, drainOnSigterm }));
      await this.#writeTogether(registrations, callOptions);
      return registrations;
    } catch (error) {
      for (const registration of registrations) registration.abandon();
      throw error;
    }
  }

  async #writeTogether(registrations: readonly LeasedRegistration<Metadata>[], options: CallOptions): Promise<void> {
    const request = requestsWithin(this.#client, options);
    const writes: InstanceWrite[] = [];
    for (const registration of registrations) writes.push(await registration.toWrite(request()));
    const taken = await writeTogether(this.#client, writes, request);
    if (taken !== undefined)
      throw new ConclaveError("ALREADY_EXISTS", `"${taken}" is registered by someone else: none was registered`);
    for (const [at, { lease }] of writes.entries()) registrations[at]?.adopt(lease);
  }

  /** A registration that has not begun. @throws ConclaveError `INVALID_ARGUMENT` */
  #prepare(
    definition: InstanceDefinition<Metadata>,
    options: Pick<RegisterOptions, "replace" | "graceMs" | "drainOnSigterm">,
  ): LeasedRegistration<Metadata> {
    check(registerSchema, options, "options of a registration");
    const { replace = false, graceMs = graceMsDefault, drainOnSigterm = false } = options;
    const { layout, metadata } = this.#store;
    if (layout !== "conclave")
      throw new ConclaveError("INVALID_ARGUMENT", `Cannot register in the layout "${layout}": it is read only`);
    const instance = checkDefinition(definition, { newId: () => this.#newToken(), metadata });
    const client = this.#client;
    return new LeasedRegistration({
      client,
      session: client.sharedSession(this.#lease),
      store: this.#store,
      instance: { ...instance, owner: this.#newToken(), registeredAtMs: client.ports.clock.wallMs() },
      replace,
      graceMs,
      termination: drainOnSigterm ? this.#termination : undefined,
    });
  }

  #newToken(): string {
    return hex(this.#client.ports.random.bytes(8));
  }
}
