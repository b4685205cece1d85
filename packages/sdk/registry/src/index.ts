export type { Instance, InstanceDefinition, InstancePatch, InstanceState } from "./instance.ts";
export type { InstanceChange, InstanceFilter, LiveSet, LiveSetEvents } from "./live-set.ts";
export type { Registration, RegistrationState } from "./registration.ts";
export { createRegistry, type RegisterOptions, type Registry, type RegistryOptions } from "./registry.ts";
