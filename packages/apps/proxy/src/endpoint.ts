/** @module A member as a proxy knows it. */

/** A member's address, and how much it should be preferred. */
export interface WeightedEndpoint {
  /** `host:port`. */
  readonly address: string;
  /** `http` or `https`. */
  readonly scheme: string;
  /** The lower, the earlier it is asked; the others only when none of these can be dialled. */
  readonly priority: number;
  /** Its share among those of its priority; at least 1. */
  readonly weight: number;
}

/** A host and a port. */
export interface HostAndPort {
  /** The host; without brackets, also for IPv6. Empty for every interface. */
  readonly host: string;
  /** The port. */
  readonly port: number;
}

/** Reads `host:port`; undefined if it is something else. */
export function parseHostAndPort(text: string): HostAndPort | undefined {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:[\]/]*)):(\d{1,5})$/.exec(text) ?? [];
  const number = Number(port);
  if (port === undefined || number > 65_535) return undefined;
  return { host: bracketed ?? plain ?? "", port: number };
}
