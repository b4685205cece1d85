import { GrpcStatus } from "@conclave/protocol";
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "@conclave/protocol/health";
import { type ResponseStream, RpcError, type ServerCall } from "@conclave/rpc";

/** The name under which the server as a whole is asked about; as in etcd, no other one is known. */
const wholeServer = "";

/**
 * Whether the server can be sent requests, for load balancers and probes that speak gRPC's own health protocol. A
 * member that answers serves; one that stops ends every watch with the status that sends its clients elsewhere.
 */
export class HealthService {
  /** The status now. */
  check({ service }: HealthCheckRequest): HealthCheckResponse {
    if (service !== wholeServer) throw new RpcError(GrpcStatus.NotFound, "unknown service");
    return { status: ServingStatus.SERVING };
  }

  /** The status now; it changes only by the end of the call. */
  async watch(
    { service }: HealthCheckRequest,
    responses: ResponseStream<HealthCheckResponse>,
    { signal }: ServerCall,
  ): Promise<void> {
    responses.write({ status: service === wholeServer ? ServingStatus.SERVING : ServingStatus.SERVICE_UNKNOWN });
    await new Promise<never>((_resolve, reject) => {
      const end = (): void => reject(signal.reason as Error);
      if (signal.aborted) end();
      else signal.addEventListener("abort", end, { once: true });
    });
  }
}
