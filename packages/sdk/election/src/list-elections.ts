import { type CallOptions, type ClientView, listContentions } from "@conclave/client";
import { asLeader, type Leader } from "./candidate.ts";

/** An election that has a leader, with its name. */
export interface NamedElection {
  /** The election's name. */
  readonly name: string;
  /** The leader. */
  readonly leader: Leader;
  /** Those who stand behind, in the order in which they will lead. */
  readonly candidates: readonly Leader[];
}

/** The elections that have a leader, at one revision. */
export interface ElectionListing {
  /** The revision at which it was so. */
  readonly revision: number;
  /** The elections, by name. */
  readonly elections: readonly NamedElection[];
}

/** Which elections to list. */
export interface ListElectionsOptions extends CallOptions {
  /** What their names start with. Default: nothing, for all; that reads every key of the store. */
  readonly prefix?: string;
}

/**
 * Lists the elections that have a leader, whoever stands: candidates of this package, of Go's `concurrency.Election` or
 * of `etcdctl elect`. A lock is kept in the same way and listed too. An election without candidates leaves no trace.
 */
export async function listElections(
  client: ClientView,
  { prefix: start = "", ...options }: ListElectionsOptions = {},
): Promise<ElectionListing> {
  const { revision, contentions } = await listContentions(client, start, options);
  const elections = contentions.flatMap(({ name, contenders }) => {
    const [leader, ...candidates] = contenders.map(asLeader);
    return leader === undefined ? [] : [{ name, leader, candidates }];
  });
  return { revision, elections };
}
