/** @module What an instance of a service is, and what may be registered as one. */
import { ConclaveError } from "@conclave/client";
import { z } from "zod";

/** Whether an instance takes requests: `draining` ones finish what they have and are about to leave. */
export type InstanceState = "up" | "draining";

/** How an instance says that it is: `warning` ones take requests, `critical` ones only if there is nobody else. */
export type InstanceHealth = "passing" | "warning" | "critical";

/** What others should know of an instance, where no schema says more. */
export type InstanceMetadata = Readonly<Record<string, string>>;

/** One instance of a service, as others see it. */
export interface Instance<Metadata = InstanceMetadata> {
  /** The service. */
  readonly service: string;
  /** The instance, unique within the service. */
  readonly id: string;
  /** Addresses by protocol, such as `{ http: "http://10.0.0.7:8080", grpc: "10.0.0.7:9090" }`. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Version of what it runs; default: empty. */
  readonly version: string;
  /** Where it runs; default: empty. */
  readonly zone: string;
  /** Share of the load it takes compared with others; with 0 only if the others have 0 too. Default: 1. */
  readonly weight: number;
  /** How it says that it is; default: `passing`. */
  readonly health: InstanceHealth;
  /** Whether it takes requests. */
  readonly state: InstanceState;
  /** What else others should know; default: nothing. */
  readonly metadata: Metadata;
}

type Chosen = "id" | "version" | "zone" | "weight" | "health";

/** What an instance is registered with. */
export type InstanceDefinition<Metadata = InstanceMetadata> = Pick<Instance<Metadata>, "service" | "addresses"> &
  Partial<Pick<Instance<Metadata>, Chosen | "metadata">>;

/** What can be changed of a registered instance. */
export type InstancePatch<Metadata = InstanceMetadata> = Partial<
  Pick<Instance<Metadata>, Exclude<Chosen, "id"> | "addresses" | "metadata">
>;

/**
 * Checks metadata and gives it back as the schema has it.
 *
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export type MetadataCheck<Metadata> = (value: unknown) => Metadata;

/** An instance as it is stored: with the token of whoever registered it. */
export interface StoredInstance<Metadata = unknown> extends Instance<Metadata> {
  /** Who registered it; empty in layouts that do not tell. */
  readonly owner: string;
  /** When it was registered, in ms since 1970 by the clock of whoever did; absent if that did not say. For people only. */
  readonly registeredAtMs?: number | undefined;
}

/** One part of a key: a name of a service, or an id. */
const segment = z.string().regex(/^[^/\s*]+$/, "must be one or more characters other than /, * and white space");

const fields = {
  addresses: z.record(z.string(), z.string()),
  version: z.string(),
  zone: z.string(),
  weight: z.number().min(0),
  health: z.enum(["passing", "warning", "critical"]),
  metadata: z.unknown(),
};

const defaulted = {
  ...fields,
  version: fields.version.default(""),
  zone: fields.zone.default(""),
  weight: fields.weight.default(1),
  health: fields.health.default("passing"),
  metadata: fields.metadata.default({}),
};

const definitionSchema = z.strictObject({ service: segment, id: segment.optional(), ...defaulted });
const patchSchema = z.strictObject(fields).partial();
const storedSchema = z.object({
  service: segment,
  id: segment,
  ...defaulted,
  state: z.enum(["up", "draining"]),
  owner: z.string(),
  registeredAtMs: z.number().optional(),
});

/** Holds a value to a schema. @throws ConclaveError `INVALID_ARGUMENT` */
export function check<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ConclaveError("INVALID_ARGUMENT", `Invalid ${what}: ${issue?.path.join(".")} ${issue?.message}`);
}

/** @throws ConclaveError `INVALID_ARGUMENT` */
export function checkDefinition<Metadata>(
  definition: InstanceDefinition<Metadata>,
  checks: { readonly newId: () => string; readonly metadata: MetadataCheck<Metadata> },
): Instance<Metadata> {
  const { id = checks.newId(), metadata, ...rest } = check(definitionSchema, definition, "instance");
  return { ...rest, id, metadata: checks.metadata(asStored(metadata)), state: "up" };
}

/** @throws ConclaveError `INVALID_ARGUMENT` */
export function checkPatch<Metadata>(
  patch: InstancePatch<Metadata>,
  metadata: MetadataCheck<Metadata>,
): InstancePatch<Metadata> {
  const checked = check(patchSchema, patch, "change of an instance") as InstancePatch<unknown>;
  const given = Object.fromEntries(Object.entries(checked).filter(([, value]) => value !== undefined));
  return "metadata" in given ? { ...given, metadata: metadata(asStored(given.metadata)) } : given;
}

/** Metadata as it will be read again: what could not be is refused before it is written. */
function asStored(metadata: unknown): unknown {
  return JSON.parse(JSON.stringify(metadata) ?? "null");
}

/** @throws ConclaveError `INVALID_ARGUMENT` */
export function checkServiceName(service: string): string {
  return check(segment, service, "service name");
}

/** What is stored of an instance. */
export function formatInstance(instance: StoredInstance): string {
  return JSON.stringify(instance);
}

/** Reads what {@link formatInstance} wrote, parsed. @throws if it is anything else */
export function parseInstance(value: unknown): StoredInstance {
  return storedSchema.parse(value);
}

/** The instance without what only the registry needs. */
export function publicInstance<Metadata>({
  owner: _owner,
  registeredAtMs: _at,
  ...instance
}: StoredInstance<Metadata>): Instance<Metadata> {
  return instance;
}

/** The name of an instance among all: `service/id`. */
export function instanceName({ service, id }: Pick<Instance, "service" | "id">): string {
  return `${service}/${id}`;
}
