/**
 * @module Handing leadership over to a chosen candidate, in one transaction.
 *
 * Whoever stands first leads, so the transaction deletes the leader's key together with those of the candidates that
 * stand before the chosen one: at its revision the chosen one stands first. The candidates that were passed over find
 * their keys gone while their leases live, and stand again behind everybody. Candidates of Go's `concurrency.Election`
 * and of `etcdctl elect` would not: they wait for the keys before theirs and take themselves for leaders when there are
 * none left, without a look at their own. So nobody is passed over who has not noted that it stands again, and the key
 * of any other candidate is never touched.
 *
 * | before | key (create revision) | after a handover to `c`    |
 * |--------|-----------------------|----------------------------|
 * | leader | `n/1a` (5)            | deleted                    |
 * |        | `n/2b` (6), noted     | deleted; later `n/2b` (12) |
 * | `c`    | `n/3c` (7)            | `n/3c` (7), leads          |
 * |        | `n/4d` (8), of Go     | `n/4d` (8), waits          |
 */
import { type CallOptions, type ClientView, ConclaveError, compare, op } from "@conclave/client";
import { type Candidate, noteKey, readStanding } from "./candidate.ts";

/** What a handover came to. */
export interface Handover {
  /** The new leader; undefined if nobody stood any more when leadership was given up. */
  readonly successor: Candidate | undefined;
  /** Those who stood before the new leader, and stand again behind everybody. */
  readonly passedOver: readonly Candidate[];
}

/** The key to hand over. */
export interface LeaderKey {
  /** The election. */
  readonly name: string;
  /** The leader's key. */
  readonly key: string;
  /** Its create revision. */
  readonly fence: number;
  /** Its lease. */
  readonly lease: bigint;
}

/** Two of the 128 operations of a transaction are for the leader's own key and note. */
const passedOverMax = 126;
/** How often a candidate may go between the look at who stands and the transaction. */
const attemptsMax = 10;

/**
 * Chooses whom to hand over to.
 *
 * @param behind - who stands behind the leader, in order
 * @param to - the id of the one wanted; default: the highest priority, among equals the first
 * @returns undefined if the one wanted, or anybody, does not stand or cannot be reached
 */
export function chooseSuccessor(behind: readonly Candidate[], to?: string): Candidate | undefined {
  const reachable = reachableOf(behind);
  if (to !== undefined) return reachable.find(({ id }) => id === to);
  return reachable.reduce<Candidate | undefined>(
    (best, candidate) => (best === undefined || candidate.priority > best.priority ? candidate : best),
    undefined,
  );
}

/** Those before whom nobody stands that would not stand again. */
function reachableOf(behind: readonly Candidate[]): readonly Candidate[] {
  const firstToStay = behind.findIndex(({ yields }) => !yields);
  return behind.slice(0, Math.min(firstToStay < 0 ? behind.length : firstToStay + 1, passedOverMax + 1));
}

/** @throws ConclaveError `NO_CANDIDATE` if leadership cannot be handed over to the one wanted, or to anybody */
export function assertSuccessor(name: string, behind: readonly Candidate[], to?: string): void {
  if (chooseSuccessor(behind, to) !== undefined) return;
  const stands = to !== undefined && behind.some(({ id }) => id === to);
  const reason = stands
    ? `"${to}" stands behind candidates that cannot be passed over`
    : to === undefined
      ? "nobody else stands"
      : `no "${to}" stands`;
  throw new ConclaveError("NO_CANDIDATE", `Cannot hand "${name}" over: ${reason}`, { retryable: true });
}

/**
 * Gives the leader's key up in favour of a candidate, or of the best one if it has gone meanwhile.
 *
 * @throws ConclaveError `OWNERSHIP_LOST` if the leader had lost it before; and as every write
 */
export async function handOverKey(
  client: ClientView,
  leader: LeaderKey,
  { to, ...options }: CallOptions & { readonly to?: string | undefined },
): Promise<Handover> {
  let tried: Handover | undefined;
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const { candidates } = await readStanding(client, leader.name, options);
    const [first, ...behind] = candidates;
    // An earlier try whose answer was lost may have done it.
    if (tried !== undefined && first?.key === tried.successor?.key) return tried;
    if (first?.key !== leader.key || first.fence !== leader.fence)
      throw new ConclaveError("OWNERSHIP_LOST", `Cannot hand "${leader.name}" over: someone else leads by now`);
    const successor = chooseSuccessor(behind, to) ?? chooseSuccessor(behind);
    if (successor === undefined) break;
    tried = { successor, passedOver: behind.slice(0, behind.indexOf(successor)) };
    if (await exchange(client, leader, tried, options)) return tried;
  }
  return { successor: undefined, passedOver: [] };
}

/** The transaction. @returns whether the leader led and the successor stood */
async function exchange(
  client: ClientView,
  { name, key, fence, lease }: LeaderKey,
  { successor, passedOver }: Handover,
  options: CallOptions,
): Promise<boolean> {
  const stands = successor === undefined ? [] : [compare.createRevision(successor.key).equal(successor.fence)];
  const { succeeded } = await client
    .txn()
    .if(compare.createRevision(key).equal(fence), ...stands)
    .then(op.delete(key), op.delete(noteKey(name, lease)), ...passedOver.map((candidate) => op.delete(candidate.key)))
    .commit({ ...options, idempotent: true });
  return succeeded;
}
