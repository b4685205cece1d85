/** @module `conclave gateway start`. */
import type { Command } from "../command.ts";
import { endpointsOf } from "../endpoints.ts";
import type { FlagValues } from "../flags.ts";
import { createStderrLog } from "../log.ts";
import { startGateway } from "./gateway.ts";

/** The command that starts a gateway. */
export const gatewayCommand: Command = {
  name: "gateway",
  summary: "gateway related command",
  startSummary: "start the gateway",
  flags: {
    "discovery-srv": { type: "string", usage: "DNS domain used to bootstrap initial cluster" },
    "discovery-srv-name": { type: "string", usage: "service name to query when using DNS discovery" },
    endpoints: { type: "strings", usage: "comma separated etcd cluster endpoints", fallback: "127.0.0.1:2379" },
    "insecure-discovery": { type: "bool", usage: "accept insecure SRV records" },
    "listen-addr": { type: "string", usage: "listen address", fallback: "127.0.0.1:23790" },
    "retry-delay": {
      type: "duration",
      usage: "duration of delay before retrying failed endpoints",
      fallback: "1m0s",
    },
    "trusted-ca-file": {
      type: "string",
      usage:
        "path to the client server TLS CA file for verifying the discovered endpoints when discovery-srv is provided.",
    },
  },
  start: startFromFlags,
};

async function startFromFlags(flags: FlagValues) {
  const log = createStderrLog("proxy/gateway");
  const endpoints = await endpointsOf(flags, { trustedCaFile: flags.text("trusted-ca-file"), log });
  const gateway = await startGateway({
    listenAddr: flags.text("listen-addr"),
    endpoints,
    retryDelayMs: flags.durationMs("retry-delay"),
    log,
  });
  log.info("ready to proxy client requests", {
    address: gateway.address,
    endpoints: endpoints.map(({ address }) => address),
  });
  return { log, close: () => gateway.close() };
}
