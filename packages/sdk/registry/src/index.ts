export type { Balancer, Candidate, FinishedRequest, RequestResult } from "./balancing/balancer.ts";
export { ConsistentHash } from "./balancing/consistent-hash.ts";
export { LeastPending } from "./balancing/least-pending.ts";
export { type EjectionOptions, OutlierEjection } from "./balancing/outlier-ejection.ts";
export {
  type BalancingPolicy,
  createPicker,
  type Picked,
  type Picker,
  type PickerOptions,
  type PickOptions,
} from "./balancing/picker.ts";
export { PowerOfTwoChoices, type PowerOfTwoOptions } from "./balancing/power-of-two.ts";
export { RoundRobin } from "./balancing/round-robin.ts";
export { SmoothWeighted } from "./balancing/smooth-weighted.ts";
export { ZoneFirst } from "./balancing/zone-first.ts";
export type {
  DiscoverOptions,
  InstanceFilter,
  LiveSet,
  LiveSetEvents,
  LiveSetState,
} from "./discovery/live-set.ts";
export type { InstanceChange, Protection } from "./discovery/service-view.ts";
export type {
  Instance,
  InstanceDefinition,
  InstanceHealth,
  InstanceMetadata,
  InstancePatch,
  InstanceState,
} from "./instance.ts";
export type { InstanceLayout } from "./layout.ts";
export type { InstanceListing, ListedInstance } from "./listing.ts";
export type { DrainOptions, Registration, RegistrationEvents, RegistrationState } from "./registration.ts";
export {
  type BalanceOptions,
  createRegistry,
  type RegisterOptions,
  type Registry,
  type RegistryOptions,
} from "./registry.ts";
export type { ServiceSelector } from "./selection.ts";
