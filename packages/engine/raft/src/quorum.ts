/**
 * @module Majorities. The empty set of voters is no obstacle: it has won every vote and committed everything, so
 * that a joint configuration with an empty half behaves like its other half.
 */

/** How a vote stands. */
export type VoteResult = "pending" | "won" | "lost";

/** How many of so many voters are a majority. */
export function majority(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/**
 * The highest index that a majority of the voters has (§5.3): sorted downwards, the one in the middle.
 *
 * @param voters - who counts
 * @param match - the highest index a voter is known to have, 0 if nothing is known
 * @returns Infinity if there are no voters
 */
export function committedIndex(voters: ReadonlySet<bigint>, match: (voter: bigint) => number): number {
  if (voters.size === 0) return Number.POSITIVE_INFINITY;
  const indexes = Array.from(voters, match).sort((left, right) => right - left);
  return indexes[majority(voters.size) - 1] as number;
}

/**
 * How an election stands (§5.2).
 *
 * @param voters - who counts
 * @param vote - what a voter answered, undefined if nothing yet
 */
export function voteResult(voters: ReadonlySet<bigint>, vote: (voter: bigint) => boolean | undefined): VoteResult {
  if (voters.size === 0) return "won";
  let granted = 0;
  let open = 0;
  for (const voter of voters) {
    const answer = vote(voter);
    if (answer === undefined) open++;
    else if (answer) granted++;
  }
  const needed = majority(voters.size);
  if (granted >= needed) return "won";
  return granted + open >= needed ? "pending" : "lost";
}
