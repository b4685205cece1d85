/** @module The subcommands of `conclave` that stand before a cluster: `gateway` and `grpc-proxy`. */
import { runCommand } from "./command.ts";
import { gatewayCommand } from "./gateway/gateway-command.ts";
import { grpcProxyCommand } from "./grpc/grpc-proxy-command.ts";

/**
 * Runs a subcommand.
 *
 * @param args - the arguments after the program's name; the first is `gateway` or `grpc-proxy`
 * @returns the exit status: 0 after help or a clean stop, 1 if the proxy could not start
 */
export function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  return runCommand(name === "gateway" ? gatewayCommand : grpcProxyCommand, rest);
}
