import { createHash } from "node:crypto";
import type { Clock, Random } from "@conclave/base";

function firstEightBytes(digest: Buffer): bigint {
  return digest.readBigUInt64BE(0);
}

/**
 * The id of a member, the same wherever it is computed: the first eight bytes of
 * SHA-1(sorted peer URLs, joined without separator, then the cluster token).
 *
 * @param peerUrls - the URLs the member advertises to its peers, in any order
 * @param clusterToken - value of `--initial-cluster-token`
 * @see etcd's member ids
 */
export function computeMemberId(peerUrls: readonly string[], clusterToken: string): bigint {
  const hash = createHash("sha1")
    .update([...peerUrls].sort().join(""))
    .update(clusterToken);
  return firstEightBytes(hash.digest());
}

/**
 * The id of a member that a running cluster is told to add: the same URLs give another id at another time, as an id that
 * was removed never returns.
 *
 * @param unixSec - the time, in seconds since 1970
 */
export function computeAddedMemberId(peerUrls: readonly string[], unixSec: number): bigint {
  return computeMemberId(peerUrls, String(unixSec));
}

/**
 * The id of a cluster, fixed for its life: the first eight bytes of SHA-1 over the initial member ids in
 * ascending order, eight big-endian bytes each.
 */
export function computeClusterId(initialMemberIds: readonly bigint[]): bigint {
  const hash = createHash("sha1");
  const bytes = Buffer.alloc(8);
  for (const id of [...initialMemberIds].sort((left, right) => (left < right ? -1 : left > right ? 1 : 0))) {
    bytes.writeBigUInt64BE(id);
    hash.update(bytes);
  }
  return firstEightBytes(hash.digest());
}

/** The way ids are written in texts, file names and JSON keys: lower-case hex without leading zeros. */
export function formatId(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16);
}

const suffixBits = 48n;
const suffixMask = (1n << suffixBits) - 1n;

/** Gives every request of a member an id that no other request of the cluster has. */
export interface RequestIds {
  /** The next id: 16 bits of the member id, 40 bits of start time, 8 bits of counter that carry into the time. */
  next(): bigint;
}

/** The part of a request id that differs between requests of one member, as a number fit for a Map key. */
export function requestKey(id: bigint): number {
  return Number(id & suffixMask);
}

/**
 * Creates the generator of request ids. Two lives of one member differ by their start time as long as fewer than
 * 256 requests a millisecond were made in the earlier one, on average.
 */
export function createRequestIds(memberId: bigint, clock: Clock): RequestIds {
  const prefix = BigInt.asUintN(16, memberId) << suffixBits;
  let suffix = (BigInt(Math.trunc(clock.wallMs())) << 8n) & suffixMask;
  return {
    next(): bigint {
      suffix = (suffix + 1n) & suffixMask;
      return prefix | suffix;
    },
  };
}

/** A lease id nobody chose: a positive 63-bit number other than zero. */
export function randomLeaseId(random: Random): bigint {
  const bytes = random.bytes(8);
  const id = BigInt.asUintN(63, new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0));
  return id === 0n ? 1n : id;
}
