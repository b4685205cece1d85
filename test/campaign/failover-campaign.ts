/**
 * @module The leader of three real members is killed again and again under concurrent clients. Nothing acknowledged may
 * be lost, what clients saw must be linearizable, and how long the cluster did not serve is told.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type ClusterNetworkKind, type MemberProgram, startCluster } from "@conclave/testkit";
import { KvWorkload } from "./kv-workload.ts";

/** How to run the campaign. */
export interface FailoverOptions {
  /** How long leaders are killed. */
  readonly durationMs: number;
  /** Decides what the clients ask. */
  readonly seed: number;
  /** What the members run; default: Conclave. */
  readonly program?: MemberProgram;
  /** The network that the members are in; default: `"loopback"`. */
  readonly network?: ClusterNetworkKind;
  /** Told how it goes, line by line. */
  readonly say: (line: string) => void;
}

/** How it went; a loss is an error. */
export interface FailoverSummary {
  /** Leaders that were killed. */
  readonly kills: number;
  /** Operations that were found to be linearizable. */
  readonly operations: number;
  /** From each kill to the first answer to a call made after it, in milliseconds. */
  readonly outagesMs: readonly number[];
}

/** Between two kills. */
const pauseMs = 3_000;

/**
 * Runs the campaign.
 *
 * @throws LostWrite if anything acknowledged is gone; Error if what clients saw is not linearizable
 */
export async function runFailoverCampaign(options: FailoverOptions): Promise<FailoverSummary> {
  const { durationMs, seed, program = {}, network = "loopback", say } = options;
  await using cluster = await startCluster({ ...program, network });
  await using workload = new KvWorkload({ endpoints: cluster.endpoints, seed });
  const outagesMs: number[] = [];
  const endMs = performance.now() + durationMs;
  while (performance.now() < endMs) {
    await sleep(pauseMs);
    const leader = await cluster.waitForLeader();
    workload.nextRound();
    await leader.kill();
    const outageMs = await workload.untilServed();
    outagesMs.push(outageMs);
    say(`failover: ${leader.name} killed, served again after ${Math.round(outageMs)} ms`);
    await leader.restart();
  }
  return { kills: outagesMs.length, operations: await workload.verify(), outagesMs };
}
