import { createRpcServer, type RpcServer, type RpcServerOptions } from "../rpc-server.ts";
import { createEchoService, type Happenings } from "./echo-service.ts";

/** Our server with the echo service, on a free port. */
export interface EchoServer extends AsyncDisposable {
  readonly server: RpcServer;
  readonly url: string;
  readonly happenings: Happenings;
  /** What was reported as a fault of the program. */
  readonly faults: readonly unknown[];
}

/** Starts our server with the echo service. */
export async function startEchoServer(options: Partial<RpcServerOptions> = {}): Promise<EchoServer> {
  const { binding, happenings } = createEchoService();
  const faults: unknown[] = [];
  const server = createRpcServer({
    services: [binding],
    onHandlerError: (error) => faults.push(error),
    ...options,
  });
  const [url = ""] = await server.listen("http://127.0.0.1:0");
  return { server, url, happenings, faults, [Symbol.asyncDispose]: () => server.close({ graceMs: 0 }) };
}

/** Calls that have begun and are not over. */
export function openCalls(server: RpcServer): number {
  const over = server.stats.flatMap(({ handled }) => [...handled.values()]);
  return server.stats.reduce((sum, { started }) => sum + started, 0) - over.reduce((sum, count) => sum + count, 0);
}
