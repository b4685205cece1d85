export { type Barrier, type BarrierOptions, createBarrier, type HeldBarrier } from "./barrier.ts";
export { type Counter, createCounter } from "./counter.ts";
export { createDoubleBarrier, type DoubleBarrier, type DoubleBarrierOptions, type Inside } from "./double-barrier.ts";
export {
  createMembership,
  type GroupMember,
  type Membership,
  type MembershipChange,
  type MembershipOptions,
  type Participation,
} from "./membership.ts";
export {
  createDelayQueue,
  createPriorityQueue,
  createQueue,
  type DelayQueue,
  type PriorityQueue,
  type Queue,
  type QueueOptions,
  type TakeQueue,
} from "./queue.ts";
export {
  createRateLimiter,
  type RateDecision,
  type RateLimiter,
  type RateLimiterOptions,
  type RateRequest,
} from "./rate-limiter.ts";
