import type { Codec } from "@conclave/protocol";

/** One method of the protocol with its codecs. */
export interface RpcMethod<Request, Response> {
  /** Its name for people, as `etcdserverpb.KV/Put`. */
  readonly name: string;
  /** Its path on the wire, as `/etcdserverpb.KV/Put`. */
  readonly path: string;
  /** Whether requests or responses come as a stream. */
  readonly streaming: boolean;
  /** The bytes of a request. */
  encode(request: Request): Uint8Array;
  /** The response in these bytes. */
  decode(bytes: Uint8Array): Response;
}

/** What the generated definitions say of a method. */
export interface TypedMethodDefinition<Request, Response> {
  /** Its name in the IDL. */
  readonly name: string;
  /** Codec of the requests. */
  readonly requestType: Codec<Request>;
  /** Whether the client sends a stream. */
  readonly requestStream: boolean;
  /** Codec of the responses. */
  readonly responseType: Codec<Response>;
  /** Whether the server sends a stream. */
  readonly responseStream: boolean;
}

/** The method of a service, ready to call. */
export function rpcMethod<Request, Response>(
  service: { readonly fullName: string },
  method: TypedMethodDefinition<Request, Response>,
): RpcMethod<Request, Response> {
  const name = `${service.fullName}/${method.name}`;
  return {
    name,
    path: `/${name}`,
    streaming: method.requestStream || method.responseStream,
    encode: (request) => method.requestType.encode(request).finish(),
    decode: (bytes) => method.responseType.decode(bytes),
  };
}
