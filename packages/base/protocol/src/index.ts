export { DecodeError, type DecodeErrorCode, decodeStrict } from "./decode-strict.ts";
export { GrpcStatus, type GrpcStatusName } from "./grpc-status.ts";
export { type Codec, type MethodDefinition, type ServiceDefinition, services } from "./services.ts";
export { WireError, type WireErrorName, type WireErrorRow, wireErrorName, wireErrors } from "./wire-errors.ts";
