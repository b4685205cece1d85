export { type Delivery, jsonCodec, type MessageCodec } from "./message.ts";
export type { SubscribedDelivery, Subscription } from "./subscription.ts";
export { createTopic, type PublishOptions, type SubscribeOptions, type Topic, type TopicOptions } from "./topic.ts";
