export { Deferred, type DeferredListener } from "./deferred.ts";
// For transports of one's own, such as the simulated one of the testkit.
export { Dispatcher, type DispatcherOptions } from "./dispatcher.ts";
export { frameMessage, prefixBytes } from "./message-frame.ts";
export type { Metadata } from "./metadata.ts";
export type { MethodStats } from "./method-counters.ts";
export type { RequestStream } from "./request-stream.ts";
export type { ResponseStream } from "./response-stream.ts";
export { RpcError, type RpcStatus } from "./rpc-error.ts";
export {
  createRpcServer,
  type MisdirectedConnection,
  peerOf,
  type RpcServer,
  type RpcServerCloseOptions,
  type RpcServerOptions,
} from "./rpc-server.ts";
export type { ServerCall } from "./server-call.ts";
export {
  type BidiHandler,
  type BoundMethod,
  bindService,
  type ClientStreamHandler,
  type MethodHandler,
  type ServerStreamHandler,
  type ServiceBinding,
  type ServiceHandlers,
  type UnaryHandler,
  unimplemented,
} from "./service.ts";
export type {
  AcceptStream,
  ClientCertificate,
  HeaderFields,
  OutgoingFields,
  Peer,
  RequestHead,
  SecuredConnection,
  StreamReceiver,
  TlsAcceptor,
  TlsServer,
  TransportStream,
} from "./transport.ts";
