import { ConclaveError, type KeyValue } from "@conclave/client";
import { z } from "zod";

/** Whether an instance takes requests: `draining` ones finish what they have and are about to leave. */
export type InstanceState = "up" | "draining";

/** One instance of a service, as others see it. */
export interface Instance {
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
  /** Share of the load it takes compared with others; default: 1. */
  readonly weight: number;
  /** Whether it takes requests. */
  readonly state: InstanceState;
  /** What else others should know; default: nothing. */
  readonly metadata: Readonly<Record<string, string>>;
}

const segment = z.string().regex(/^[^/\s]+$/, "must be one or more characters other than / and white space");

const fields = {
  addresses: z.record(z.string(), z.string()),
  version: z.string().default(""),
  zone: z.string().default(""),
  weight: z.number().min(0).default(1),
  metadata: z.record(z.string(), z.string()).default({}),
};

const definitionSchema = z.strictObject({ service: segment, id: segment.optional(), ...fields });

/** What an instance is registered with. */
export type InstanceDefinition = Pick<Instance, "service" | "addresses"> &
  Partial<Pick<Instance, "id" | "version" | "zone" | "weight" | "metadata">>;

/** What can be changed of a registered instance. */
export type InstancePatch = Partial<Pick<Instance, "addresses" | "version" | "zone" | "weight" | "metadata">>;

const patchSchema = z.strictObject({
  addresses: fields.addresses.optional(),
  version: z.string().optional(),
  zone: z.string().optional(),
  weight: z.number().min(0).optional(),
  metadata: z.record(z.string(), z.string()).optional(),
});

const storedSchema = z.object({
  service: segment,
  id: segment,
  ...fields,
  state: z.enum(["up", "draining"]),
  owner: z.string(),
});

/** An instance as it is stored: with the token of whoever registered it. */
export interface StoredInstance extends Instance {
  readonly owner: string;
}

function parse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ConclaveError("INVALID_ARGUMENT", `Invalid ${what}: ${issue?.path.join(".")} ${issue?.message}`);
}

/** @throws ConclaveError `INVALID_ARGUMENT` */
export function checkDefinition(definition: InstanceDefinition, newId: () => string): Instance {
  const { id = newId(), ...rest } = parse(definitionSchema, definition, "instance");
  return { ...rest, id, state: "up" };
}

/** @throws ConclaveError `INVALID_ARGUMENT` */
export function checkPatch(patch: InstancePatch): InstancePatch {
  return parse(patchSchema, patch, "change of an instance") as InstancePatch;
}

/** @throws ConclaveError `INVALID_ARGUMENT` */
export function checkServiceName(service: string): string {
  return parse(segment, service, "service name");
}

/** What is stored of an instance. */
export function formatInstance(instance: StoredInstance): string {
  return JSON.stringify(instance);
}

/** Reads what {@link formatInstance} wrote; undefined for anything else. */
export function parseInstance(kv: KeyValue): StoredInstance | undefined {
  try {
    return storedSchema.parse(JSON.parse(kv.valueString));
  } catch {
    return undefined; // Not of this registry: whoever reads the set reports it.
  }
}

/** The instance without what only the registry needs. */
export function publicInstance({ owner: _owner, ...instance }: StoredInstance): Instance {
  return instance;
}
