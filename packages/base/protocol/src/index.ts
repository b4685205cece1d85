export { DecodeError, type DecodeErrorCode, decodeStrict } from "./decode-strict.ts";
export { encodedPartsOf, withEncodedParts } from "./encoded-parts.ts";
export { GrpcStatus, type GrpcStatusName } from "./grpc-status.ts";
export { httpRoutes } from "./http-routes.ts";
export { encodePutReply, isPutReply } from "./put-reply.ts";
export { decodeReceived, receivedBytes } from "./received.ts";
export { type Codec, type MethodDefinition, type ServiceDefinition, services } from "./services.ts";
export { WireError, type WireErrorName, type WireErrorRow, wireErrorName, wireErrors } from "./wire-errors.ts";
