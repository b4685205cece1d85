import type { LeaseTimes } from "@conclave/client";
import { formatDuration } from "../go/duration.ts";

/** What is left of a lease: `7s of 10s`, `ended`, or `none` for a key that hangs on no lease. */
export function leaseText(lease: bigint, times: ReadonlyMap<bigint, LeaseTimes>): string {
  if (lease === 0n) return "none";
  const found = times.get(lease);
  return found === undefined ? "ended" : `${found.remainingSec}s of ${found.grantedSec}s`;
}

/** The same as data. */
export function leaseJson(
  lease: bigint,
  times: ReadonlyMap<bigint, LeaseTimes>,
): { readonly lease: bigint; readonly ttl: number | undefined; readonly grantedTTL: number | undefined } {
  const found = times.get(lease);
  return { lease, ttl: found?.remainingSec, grantedTTL: found?.grantedSec };
}

/** How long something has been: `2m5s`; empty if nobody knows. Never below 0, as clocks differ. */
export function ageText(sinceMs: number | undefined, nowMs: number): string {
  return sinceMs === undefined ? "" : formatDuration(Math.max(0, Math.round((nowMs - sinceMs) / 1_000)) * 1_000);
}

/** How far back a revision is. A store keeps no times, only the order of its changes. */
export function revisionsAgo(revision: number, now: number): string {
  const ago = now - revision;
  return `revision ${revision}, ${ago === 1 ? "1 revision" : `${ago} revisions`} ago`;
}
