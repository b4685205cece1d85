/**
 * @module The listeners of a member for its clients. One port serves gRPC, the JSON gateway and the endpoints of
 * operators, unless HTTP/1.1 is given URLs of its own; metrics and health may have further ones.
 */
import {
  createRpcServer,
  type RpcServer,
  type RpcServerCloseOptions,
  type RpcServerOptions,
  type ServiceBinding,
} from "@conclave/rpc";
import { misdirected } from "@conclave/tls";
import { grpcOverheadBytes } from "./apply/state-machine.ts";
import { withCommonServices } from "./common-services.ts";
import { effectiveQuotaBytes, type MemberConfig } from "./config.ts";
import { createGateway } from "./gateway/gateway.ts";
import { HealthChecks } from "./http/health-checks.ts";
import { createHttpEndpoints } from "./http/http-endpoints.ts";
import { createHttpFront } from "./http/http-front.ts";
import type { Log } from "./log.ts";
import { SlowLog } from "./logging/slow-log.ts";
import type { Member } from "./member.ts";
import { MemberError } from "./member-error.ts";
import type { Instruments } from "./metrics/instruments.ts";
import { createMetrics } from "./metrics/metrics.ts";
import { systemClock } from "./system-ports.ts";
import type { MemberTls } from "./tls.ts";

/** What clients are served with. */
export interface FrontEndParts {
  readonly member: Member;
  /** What gRPC and the gateway serve. */
  readonly services: readonly ServiceBinding[];
  /** What was measured at the disk and in applying. */
  readonly instruments: Instruments;
  readonly log: Log;
  /** How connections are encrypted. */
  readonly tls: MemberTls;
}

/** All that listens for clients. */
export interface FrontEnd {
  /**
   * Listens on all URLs of the configuration.
   *
   * @returns those for gRPC, with the ports in force
   * @throws MemberError `LISTEN` for one that cannot be listened on
   */
  listen(): Promise<readonly string[]>;
  /** Ends calls and connections. */
  close(options: RpcServerCloseOptions): Promise<void>;
}

/** A request in JSON has its bytes in base64 and its names written out; beyond this it is not meant in earnest. */
const jsonFactor = 4;

/** A URL that cannot be listened on is the operator's to mend. */
export function listenError(urls: readonly string[], error: Error): MemberError {
  return new MemberError("LISTEN", `Cannot listen on ${urls.join(",")}: ${error.message}`, { cause: error });
}

function createHttp(config: MemberConfig, { member, instruments }: FrontEndParts, grpc: () => RpcServer) {
  const checks = new HealthChecks(member);
  const quotaBytes = effectiveQuotaBytes(config.quotaBackendBytes);
  const metrics = createMetrics({ member, instruments, checks, calls: () => grpc().stats, quotaBytes });
  const maxRequestBytes = config.maxRequestBytes + grpcOverheadBytes;
  const gateway = createGateway({
    accept: (stream, head) => grpc().accept(stream, head),
    maxJsonBytes: jsonFactor * maxRequestBytes,
  });
  return {
    clients: createHttpFront({
      access: config,
      gateway: config.enableGrpcGateway ? gateway : undefined,
      namesUsers: () => config.clientCertAuth && member.auth.enabled,
      endpoints: createHttpEndpoints({ member, metrics, checks, scope: "all" }),
    }),
    monitoring: createHttpFront({
      access: undefined,
      gateway: undefined,
      endpoints: createHttpEndpoints({ member, metrics, checks, scope: "monitoring" }),
    }),
  };
}

/** Creates the front end of a member; it does nothing until it is told to listen. */
export function createFrontEnd(config: MemberConfig, parts: FrontEndParts): FrontEnd {
  const { services, log, tls } = parts;
  const http = createHttp(config, parts, () => clients);
  const hasOwnHttp = config.listenClientHttpUrls.length > 0;
  const security = { ...connectionSecurity(tls), reusePort: config.socketReusePort };
  const slow = new SlowLog(log, systemClock);
  const clients = createRpcServer({
    ...security,
    services: withCommonServices(services),
    maxRequestBytes: config.maxRequestBytes + grpcOverheadBytes,
    maxConcurrentStreams: config.maxConcurrentStreams,
    ...(!hasOwnHttp && { http1: http.clients }),
    timeCalls: config.metrics === "extensive",
    slowCallMs: config.warningUnaryRequestDuration,
    onSlowCall: ({ path, peer }, tookMs) => {
      const expected = `${config.warningUnaryRequestDuration}ms`;
      slow.warn("a call took long", { path, remote: peer.address, took: `${tookMs.toFixed(3)}ms`, expected });
    },
    pingIntervalMinMs: config.grpcKeepaliveMinTime,
    keepAliveIntervalMs: config.grpcKeepaliveInterval,
    keepAliveTimeoutMs: config.grpcKeepaliveTimeout,
    onHandlerError: (error, { path }) => {
      log.error("a call failed", {
        path,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    },
  });
  const listeners: readonly (readonly [RpcServer, readonly string[]])[] = [
    [clients, config.listenClientUrls],
    [createRpcServer({ ...security, services: [], http1: http.clients }), config.listenClientHttpUrls],
    [createRpcServer({ ...security, services: [], http1: http.monitoring }), config.listenMetricsUrls],
  ];
  return {
    async listen() {
      const [clientUrls = []] = await Promise.all(listeners.map(([server, urls]) => listenOn(server, urls)));
      return clientUrls;
    },
    async close(options) {
      await Promise.all(listeners.map(([server]) => server.close(options)));
    },
  };
}

function connectionSecurity({ clients, refusals }: MemberTls): Pick<RpcServerOptions, "tls" | "onMisdirected"> {
  return {
    ...(clients !== undefined && { tls: clients }),
    onMisdirected: ({ peer, isEncrypted }) => {
      const error = isEncrypted ? misdirected.encrypted : misdirected.plaintext;
      refusals.rejected({ remoteAddress: peer.address, error });
    },
  };
}

async function listenOn(server: RpcServer, urls: readonly string[]): Promise<readonly string[]> {
  try {
    return await server.listen(...urls);
  } catch (error) {
    throw listenError(urls, error as Error);
  }
}
