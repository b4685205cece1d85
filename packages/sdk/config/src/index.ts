export { type Config, type ConfigOptions, createConfig, type HistoryOptions, type PublishOptions } from "./config.ts";
export type { ConfigVersion, LiveConfig, LiveConfigEvents } from "./live-config.ts";
export type { SchemaIssue, SchemaResult, StandardSchema } from "./standard-schema.ts";
