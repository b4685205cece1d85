export type {
  Config,
  ConfigDiff,
  ConfigOptions,
  ConfigUsage,
  DiffOptions,
  DraftOptions,
  HistoryOptions,
  PublishedVersion,
  PublishOptions,
  RollbackOptions,
} from "./config.ts";
export type { ConfigVersion } from "./config-version.ts";
export { type Difference, diffValues } from "./document/diff.ts";
export { type GrayNotes, type GraySelection, type InstanceIdentity, placeInHundred } from "./document/gray.ts";
export type { GrayOptions, GrayRelease, GrayReleases } from "./document/gray-releases.ts";
export type { PublicationNotes } from "./document/history.ts";
export { type ConfigLimits, configLimits } from "./document/limits.ts";
export type { Draft, Prepared, PublicationReason } from "./document/publication.ts";
export { createConfig } from "./document-config.ts";
export { type EnvironmentLayer, readEnvironment } from "./layers/environment.ts";
export {
  createLayeredConfig,
  type LayeredConfig,
  type LayeredConfigOptions,
  type LayerName,
  type LayerValue,
} from "./layers/layered-config.ts";
export { anyJson, type ConfigListing, type ListedConfig, listConfigs } from "./listing.ts";
export type { EffectiveVersion } from "./live/composition.ts";
export type {
  AcknowledgeOptions,
  ConfigChange,
  LastKnownGoodOptions,
  LiveConfig,
  LiveConfigEvents,
  LiveOptions,
  LiveStatus,
} from "./live/live-config.ts";
export {
  type DocumentChange,
  type LiveConfigs,
  type LiveConfigsEvents,
  type LiveConfigsOptions,
  liveConfigs,
} from "./live/live-configs.ts";
export type { RunningState, RunningVersion } from "./live/running.ts";
export { publishRelease, type Release, type ReleasedVersions, type ReleaseOptions } from "./release.ts";
