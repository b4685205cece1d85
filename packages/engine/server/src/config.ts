/**
 * @module The configuration of a member: one schema for flags, environment, configuration file and embedders. Its
 * sections are in `config/`.
 */
import { withoutUserInfo } from "@conclave/base";
import { z } from "zod";
import { type AuthOptions, authSection } from "./config/auth.ts";
import { type ClusteringOptions, clusteringSection } from "./config/clustering.ts";
import { type DiscoveryOptions, discoverySection } from "./config/discovery.ts";
import { expandFeatureGates } from "./config/feature-gates.ts";
import { type FeatureOptions, featuresSection } from "./config/features.ts";
import type { Field, Fields, Refuse } from "./config/field.ts";
import { type LoggingOptions, loggingSection } from "./config/logging.ts";
import { type MemberOptions, memberSection } from "./config/member.ts";
import { type MonitoringOptions, monitoringSection, type TracingOptions, tracingSection } from "./config/monitoring.ts";
import { type SecurityOptions, securitySection } from "./config/security.ts";
import { type UnsafeOptions, unsafeSection } from "./config/unsafe.ts";
import { MemberError } from "./member-error.ts";

/** A member's configuration, complete and checked. Times are in milliseconds, sizes in bytes. */
export interface MemberConfig
  extends MemberOptions,
    ClusteringOptions,
    DiscoveryOptions,
    SecurityOptions,
    AuthOptions,
    MonitoringOptions,
    TracingOptions,
    LoggingOptions,
    FeatureOptions,
    UnsafeOptions {}

/** A member's configuration as a caller gives it: everything is optional, and texts are read as flags are. */
export type MemberConfigInput = { readonly [K in keyof MemberConfig]?: MemberConfig[K] | string | undefined };

/** The key of an option. */
export type OptionKey = keyof MemberConfig;

/** A heading and the options under it. */
export interface OptionGroup {
  readonly title: string;
  readonly fields: Readonly<Record<string, Field<unknown>>>;
}

const sections = [
  memberSection,
  clusteringSection,
  discoverySection,
  securitySection,
  authSection,
  monitoringSection,
  loggingSection,
  tracingSection,
  featuresSection,
  unsafeSection,
] as const;

/** All options in the order in which an operator reads of them. */
export const optionGroups: readonly OptionGroup[] = sections.map(({ title, fields }) => ({
  title,
  fields: { ...fields },
}));

/** Every option by its key. */
export const fields: Fields<MemberConfig> = {
  ...memberSection.fields,
  ...clusteringSection.fields,
  ...discoverySection.fields,
  ...securitySection.fields,
  ...authSection.fields,
  ...monitoringSection.fields,
  ...loggingSection.fields,
  ...tracingSection.fields,
  ...featuresSection.fields,
  ...unsafeSection.fields,
};

/** The keys of all options, in the order of {@link optionGroups}. */
export const optionKeys: readonly OptionKey[] = Object.keys(fields) as OptionKey[];

// What is put together from the fields has the type that the fields have, which the compiler cannot follow.
const schema = z.strictObject(
  Object.fromEntries(Object.entries<Field<unknown>>({ ...fields }).map(([key, field]) => [key, withFallback(field)])),
) as unknown as z.ZodType<MemberConfig>;

function withFallback({ schema, fallback }: Field<unknown>): z.ZodType {
  return schema.optional().transform((value) => (value === undefined ? fallback : value));
}

/**
 * Checks a configuration and fills in the defaults.
 *
 * @param input - what was given; an unknown option is refused
 * @param sourceOf - the name under which whoever gave an option knows it, such as its flag
 * @throws MemberError `CONFIG`, with one line that names the option and the value
 */
export function parseMemberConfig(
  input: Readonly<Record<string, unknown>>,
  sourceOf: (option: string) => string = (option) => option,
): MemberConfig {
  const expanded = expandFeatureGates(input, sourceOf);
  const result = schema.safeParse(expanded);
  if (result.success) {
    checkTogether(result.data, (option, reason) => {
      throw refusal(option, { sourceOf, value: expanded[option] ?? result.data[option], reason });
    });
    return result.data;
  }
  const issue = result.error.issues[0];
  if (issue?.code === "unrecognized_keys") throw new MemberError("CONFIG", `Unknown option '${issue.keys.join(", ")}'`);
  const option = String(issue?.path[0] ?? "");
  throw refusal(option, { sourceOf, value: expanded[option], reason: issue?.message ?? "is not valid" });
}

interface Refusal {
  readonly sourceOf: (option: string) => string;
  readonly value: unknown;
  readonly reason: string;
}

/** One line that quotes the value, unless that may be a secret. */
function refusal(option: string, { sourceOf, value, reason }: Refusal): MemberError {
  const isSecret = Object.hasOwn(fields, option) && fields[option as OptionKey].secret === true;
  const quoted = isSecret ? "" : ` ${JSON.stringify(value)}`;
  return new MemberError("CONFIG", withoutUserInfo(`Invalid value${quoted} for ${sourceOf(option)}: ${reason}`));
}

function checkTogether(config: MemberConfig, refuse: Refuse<MemberConfig>): void {
  for (const section of sections) section.check?.(config, refuse);
  if (config.initialCluster === "") return;
  if (config.discoverySrv !== "") refuse("initialCluster", "does not go together with --discovery-srv");
  if (config.discoveryEndpoints.length > 0) refuse("initialCluster", "does not go together with --discovery-endpoints");
}

/** Where the data of a member lies. */
export interface DataPaths {
  readonly dataDir: string;
  readonly memberDir: string;
  readonly walDir: string;
}

/** The directories of a member: `<name>.etcd` in the working directory unless told otherwise. */
export function dataPaths(config: Pick<MemberConfig, "name" | "dataDir" | "walDir">): DataPaths {
  const dataDir = config.dataDir === "" ? `${config.name}.etcd` : config.dataDir;
  const memberDir = `${dataDir}/member`;
  return { dataDir, memberDir, walDir: config.walDir === "" ? `${memberDir}/wal` : config.walDir };
}

const defaultQuotaBytes = 2 * 1024 * 1024 * 1024;

/** The quota in force: 0 stands for the default of 2 GiB, a negative one for none. */
export function effectiveQuotaBytes(quotaBackendBytes: number): number {
  if (quotaBackendBytes < 0) return Number.POSITIVE_INFINITY;
  return quotaBackendBytes === 0 ? defaultQuotaBytes : quotaBackendBytes;
}
