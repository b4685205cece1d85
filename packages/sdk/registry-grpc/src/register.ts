/** @module Making a scheme of addresses known to grpc-js: `conclave:///orders` is the service `orders`. */
import { ConclaveError } from "@conclave/client";
import type { Registry } from "@conclave/registry";
import { experimental } from "@grpc/grpc-js";
import { z } from "zod";
import { ServiceResolver } from "./service-resolver.ts";

/** How services are resolved. */
export interface ConclaveResolverOptions {
  /** The scheme of the addresses. Default: `conclave`. */
  readonly scheme?: string | undefined;
  /** Which of the addresses of an instance is meant. Default: `grpc`. */
  readonly protocol?: string | undefined;
  /** The zone whose instances are used while there is any. Default: all are. */
  readonly zone?: string | undefined;
  /**
   * How channels balance that do not say, as in the field `loadBalancingConfig` of a service config. Default: `round_robin`,
   * as grpc-js' own default would send everything to one instance.
   */
  readonly loadBalancingConfig?: readonly Readonly<Record<string, object>>[] | undefined;
}

const optionsSchema = z.strictObject({
  scheme: z
    .string()
    .regex(/^[a-z][a-z0-9+.-]*$/, "must be the scheme of a URL, in small letters")
    .optional(),
  protocol: z.string().min(1).optional(),
  zone: z.string().optional(),
  loadBalancingConfig: z
    .array(z.record(z.string(), z.looseObject({})))
    .min(1)
    .optional(),
});

/**
 * Makes the services of a registry known to grpc-js, for the whole process: a channel to `conclave:///orders` balances over
 * the live instances of `orders`, and follows them. It stands on `experimental` of grpc-js, which may change; a scheme that
 * was made known before is replaced, for channels to come.
 *
 * @example
 * ```ts
 * registerConclaveResolver(createRegistry(client));
 * const orders = new grpc.Client("conclave:///orders", grpc.credentials.createInsecure());
 * ```
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function registerConclaveResolver(
  registry: Pick<Registry<unknown>, "discover">,
  options: ConclaveResolverOptions = {},
): void {
  const checked = optionsSchema.safeParse(options);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw new ConclaveError("INVALID_ARGUMENT", `Invalid resolver: ${issue?.path.join(".")} ${issue?.message}`);
  }
  const { scheme = "conclave", protocol = "grpc", zone, loadBalancingConfig = [{ round_robin: {} }] } = options;
  const made = { registry, protocol, zone, loadBalancingConfig };
  class RegistryResolver extends ServiceResolver {
    constructor(target: experimental.GrpcUri, listener: experimental.ResolverListener) {
      super(serviceOf(target), { ...made, listener });
    }

    static getDefaultAuthority(target: experimental.GrpcUri): string {
      return serviceOf(target);
    }
  }
  experimental.registerResolver(scheme, RegistryResolver);
}

/** `conclave:///orders` has the path `orders`, and so has `conclave:orders`. */
function serviceOf({ path }: experimental.GrpcUri): string {
  return path.replace(/^\/+/, "");
}
