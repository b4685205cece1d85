/** @module What a contender says of itself in the value of its key, and what others read of it. */
import { hostname } from "node:os";
import type { ClientView, Contender, SessionOptions } from "@conclave/client";
import * as z from "zod";

/** How one contends, for whatever of this package. */
export interface ContenderOptions extends Pick<SessionOptions, "marginMs" | "renewer"> {
  /**
   * Seconds after which what is held by one who has died, or hangs, falls to the next one. Default 15, at least the
   * server's minimum of 2.
   */
  readonly ttlSec?: number | undefined;
  /** What others see of the holder when they look, such as the name of a worker. Default: nothing. */
  readonly holder?: string | undefined;
}

/** What of the options concerns the lease. */
export function leaseOptions({
  ttlSec,
  marginMs,
  renewer,
}: ContenderOptions): Pick<SessionOptions, "ttlSec" | "marginMs" | "renewer"> {
  return { ttlSec, marginMs, renewer };
}

/** Someone who holds a lock or waits for it. */
export interface LockContender {
  /** The contender's key. */
  readonly key: string;
  /** Its fence, if it holds or comes to hold the lock. */
  readonly fence: number;
  /** The lease it lives on. */
  readonly lease: bigint;
  /** What it says of itself: the option `holder`, or whatever a client in another language wrote. */
  readonly holder: string;
  /** The host that it runs on; undefined of clients in other languages. */
  readonly host: string | undefined;
  /** Its process on that host; undefined of clients in other languages. */
  readonly pid: number | undefined;
  /** When it came, by the clock of its host; undefined of clients in other languages. */
  readonly since: Date | undefined;
  /** How long ago that was by the clock of this host, in milliseconds; the two clocks may differ. */
  readonly ageMs: number | undefined;
}

/** What the value of a contender's key says. */
export interface Description {
  /** What it calls itself. */
  readonly holder: string;
  /** Its host. */
  readonly host: string;
  /** Its process. */
  readonly pid: number;
  /** When it came, by its wall clock. */
  readonly sinceMs: number;
  /** How many permits it knows of; undefined if it is about no semaphore. */
  readonly permits?: number | undefined;
}

const descriptionSchema: z.ZodType<Description> = z.object({
  holder: z.string(),
  host: z.string(),
  pid: z.number(),
  sinceMs: z.number(),
  permits: z.number().optional(),
});

/** The value of the key of a contender in this process. */
export function describeContender(
  { ports }: ClientView,
  { holder = "" }: ContenderOptions,
  more: Pick<Description, "permits"> = {},
): string {
  const description: Description = {
    ...{ holder, host: hostname(), pid: process.pid, sinceMs: ports.clock.wallMs() },
    ...more,
  };
  return JSON.stringify(description);
}

/** What a value says; undefined if it was written by something else than this package. */
export function parseDescription(value: string): Description | undefined {
  try {
    return descriptionSchema.safeParse(JSON.parse(value)).data;
  } catch {
    return undefined; // Not JSON: the contender is a client in another language.
  }
}

/** A contender as others see it. */
export function toLockContender({ ports }: ClientView, { key, fence, lease, value }: Contender): LockContender {
  const description = parseDescription(value);
  if (description === undefined)
    return { key, fence, lease, holder: value, host: undefined, pid: undefined, since: undefined, ageMs: undefined };
  const { holder, host, pid, sinceMs } = description;
  const ageMs = Math.max(0, ports.clock.wallMs() - sinceMs);
  return { key, fence, lease, holder, host, pid, since: new Date(sinceMs), ageMs };
}
