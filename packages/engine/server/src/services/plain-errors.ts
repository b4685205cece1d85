import { GrpcStatus } from "@conclave/protocol";
import { RpcError } from "@conclave/rpc";

/** An error of the Lock and Election services. In etcd all of theirs carry the status UNKNOWN. */
export function plainError(text: string): RpcError {
  return new RpcError(GrpcStatus.Unknown, text);
}

/** Runs a method and gives the protocol's errors in it the status that etcd gives them here: only the text stays. */
export async function withPlainErrors<R>(method: () => Promise<R>): Promise<R> {
  try {
    return await method();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "WireError") throw error;
    throw new RpcError(GrpcStatus.Unknown, error.message, { cause: error });
  }
}
