/** @module The few calls that loads need to prepare a server, on grpc-js. */
import { type Codec, decodeStrict } from "@conclave/protocol";
import { KVDefinition, LeaseDefinition } from "@conclave/protocol/etcdserverpb";
import * as grpc from "@grpc/grpc-js";

/** A client of one server. */
export interface KvClient extends Disposable {
  /** Calls a method with one request, with a token if one is given. */
  call<Request, Response>(method: UnaryMethod<Request, Response>, request: Request, token?: string): Promise<Response>;
}

/** A method with its codecs. */
export interface UnaryMethod<Request, Response> {
  readonly path: string;
  readonly requestType: Codec<Request>;
  readonly responseType: Codec<Response>;
}

interface Definition {
  readonly fullName: string;
}

/** A method of a service. */
export function methodOf<Request, Response>(
  { fullName }: Definition,
  { name, ...codecs }: { name: string; requestType: Codec<Request>; responseType: Codec<Response> },
): UnaryMethod<Request, Response> {
  return { path: `/${fullName}/${name}`, requestType: codecs.requestType, responseType: codecs.responseType };
}

/** The methods that loads use. */
export const methods = {
  put: methodOf(KVDefinition, KVDefinition.methods.put),
  range: methodOf(KVDefinition, KVDefinition.methods.range),
  txn: methodOf(KVDefinition, KVDefinition.methods.txn),
  leaseGrant: methodOf(LeaseDefinition, LeaseDefinition.methods.leaseGrant),
} as const;

/** Opens a client of one connection. */
export function openKvClient(url: string): KvClient {
  const client = new grpc.Client(new URL(url).host, grpc.credentials.createInsecure());
  return {
    call: ({ path, requestType, responseType }, request, token) =>
      new Promise((resolve, reject) => {
        const metadata = new grpc.Metadata();
        if (token !== undefined) metadata.set("token", token);
        client.makeUnaryRequest(
          path,
          (message) => Buffer.from(requestType.encode(message).finish()),
          (bytes) => decodeStrict(responseType, bytes),
          request,
          metadata,
          (error, response) => (error === null && response !== undefined ? resolve(response) : reject(error)),
        );
      }),
    [Symbol.dispose]: () => client.close(),
  };
}

/** Runs a task for each number in `[0, count)`, some at a time. */
export async function forEachOf(
  count: number,
  { atOnce, task }: { readonly atOnce: number; readonly task: (at: number) => Promise<unknown> },
): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < count; at = next++) await task(at);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}
