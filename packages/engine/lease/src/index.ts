export type { LeaseErrorCode } from "./lease-error.ts";
export { LeaseError } from "./lease-error.ts";
export type { LeaseGrant, LeaseRenewal, LeaseTimeToLive, Lessor, LessorOptions, LessorStats } from "./lessor.ts";
export { createLessor, maxTtlSec } from "./lessor.ts";
