const ttlSecDefault = 60;

/** The time to live of a session that a user asked for: etcd's default if it is not above 0. */
export function sessionTtlSec(ttl: bigint): number {
  return ttl > 0n ? Number(ttl) : ttlSecDefault;
}
