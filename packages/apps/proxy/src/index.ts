export type { WeightedEndpoint } from "./endpoint.ts";
export { type Gateway, type GatewayOptions, startGateway } from "./gateway/gateway.ts";
export { type GrpcProxy, type GrpcProxyOptions, startGrpcProxy } from "./grpc/grpc-proxy.ts";
export type { ReadCacheOptions } from "./grpc/read-cache.ts";
export type { WatchHubStats } from "./grpc/watch-hub.ts";
export type { LogFields, ProxyLog } from "./log.ts";
// For `bin/conclave`.
export { main } from "./main.ts";
export { ProxyError, type ProxyErrorCode } from "./proxy-error.ts";
