/** @module Which of the members that SRV records name can prove that they belong to the domain. */
import { once } from "node:events";
import { connect } from "node:tls";
import { createTlsClient, type TlsClient } from "@conclave/tls";
import { parseHostAndPort, type WeightedEndpoint } from "./endpoint.ts";
import type { ProxyLog } from "./log.ts";
import { messageOf } from "./proxy-error.ts";

/** What a proof is held against. */
export interface VerificationOptions {
  /** The domain that certificates must be valid for. */
  readonly domain: string;
  /** File with the authorities to trust, PEM; empty: those that Node trusts. */
  readonly trustedCaFile: string;
  /** Where endpoints that are left out are told of. */
  readonly log: ProxyLog;
}

const timeoutMs = 5_000;

/**
 * The endpoints that speak TLS with a certificate for the domain.
 *
 * @throws TlsError if the file with the authorities cannot be read
 */
export async function verifiedEndpoints(
  endpoints: readonly WeightedEndpoint[],
  { domain, trustedCaFile, log }: VerificationOptions,
): Promise<readonly WeightedEndpoint[]> {
  const settings = { certFile: "", keyFile: "", trustedCaFile };
  const client = createTlsClient({ settings, log, serverName: domain });
  const verdicts = await Promise.all(endpoints.map((endpoint) => isVerified(endpoint, client, log)));
  return endpoints.filter((_, index) => verdicts[index]);
}

async function isVerified({ address }: WeightedEndpoint, client: TlsClient, log: ProxyLog): Promise<boolean> {
  const at = parseHostAndPort(address);
  if (at === undefined) return false;
  const socket = connect({ ...at, ...client.connectionOptions() });
  try {
    await once(socket, "secureConnect", { signal: AbortSignal.timeout(timeoutMs) });
    return true;
  } catch (error) {
    log.warn("failed to validate a discovered endpoint, which is left out", { address, error: messageOf(error) });
    return false;
  } finally {
    socket.on("error", () => undefined).destroy();
  }
}
