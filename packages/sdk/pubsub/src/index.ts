export type { ConsumerGroup, DeadLetterOptions, GroupOptions } from "./group/group.ts";
export type { GroupDelivery } from "./group/group-delivery.ts";
export type { DeadLetter, GroupMember, GroupMemberEvents, ProcessOptions } from "./group/group-member.ts";
export {
  behindMax,
  type GroupState,
  inspectTopic,
  listTopics,
  type MessagePlace,
  type SubscriptionState,
  type TopicState,
  type TopicsOptions,
} from "./inspection.ts";
export type { Delivery, Headers } from "./message.ts";
export type { Retention } from "./retention.ts";
export type { Start } from "./start.ts";
export type { SubscribedDelivery, Subscription } from "./subscription.ts";
export {
  createTopic,
  type DelayOptions,
  type MessageOptions,
  type Published,
  type PublishOptions,
  type Scheduled,
  type SubscribeOptions,
  type Topic,
  type TopicOptions,
} from "./topic.ts";
export { type PatternOptions, subscribeTopics } from "./topic-pattern.ts";
