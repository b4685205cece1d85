/**
 * @module SIGKILL of a real member again and again, at random moments under load. After each restart everything that
 * was acknowledged must be there; now and then a member that knows only the log, and a real etcd that is given the
 * same history, must answer the same HashKV.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "@conclave/base";
import { type Client, createClient } from "@conclave/client";
import { etcdAbsence, type MemberProcess, seededRandom, startMemberProcess } from "@conclave/testkit";
import { RecordedHistory } from "./recorded-history.ts";
import { copyLog, EtcdReplay, type HistoryHash, hashOf } from "./replay.ts";
import { Acknowledged, Worker } from "./workload.ts";

/** How to run the campaign. */
export interface CampaignOptions {
  /** How often the member is killed. */
  readonly kills: number;
  /** Decides the load and the moments of the kills, as far as the machine lets it. */
  readonly seed: number;
  /** Told how it goes, line by line. */
  readonly say: (line: string) => void;
}

/** How it went; a loss is an error. */
export interface CampaignSummary {
  readonly kills: number;
  /** Operations that were acknowledged, all of them found again. */
  readonly acknowledged: number;
  /** How often the hashes of log and etcd were compared; without an etcd the log's alone. */
  readonly comparisons: number;
}

const workerCount = 12;
const clientCount = 4;
const killsPerComparison = 50;
const killsPerLine = 10;
/** A member is killed so long after its load began. */
const loadMs = { min: 20, max: 600 };
/** So that the log holds everything since the beginning. */
const flags: readonly string[] = ["--snapshot-count=1000000000"];

/**
 * Runs the campaign.
 *
 * @throws LostWrite if anything acknowledged is gone; Error if hashes differ or the member does not start
 */
export async function runCrashCampaign({ kills, seed, say }: CampaignOptions): Promise<CampaignSummary> {
  await using member = await startMemberProcess({ flags });
  await using campaign = new Campaign(member, seededRandom(seed));
  const absent = etcdAbsence();
  if (absent !== undefined) say(`crash: no comparison with etcd: ${absent}`);
  await using etcd = absent === undefined ? await EtcdReplay.start() : undefined;
  let comparisons = 0;
  for (let kill = 1; kill <= kills; kill++) {
    await campaign.killUnderLoad();
    if (kill % killsPerComparison === 0 || kill === kills) {
      const { revision } = await campaign.compareHashes(etcd);
      comparisons += 1;
      say(`crash: ${kill} kills, hashes agree at revision ${revision}`);
    } else if (kill % killsPerLine === 0) say(`crash: ${kill} kills, ${campaign.acknowledged} acknowledged writes`);
  }
  return { kills, acknowledged: campaign.acknowledged, comparisons };
}

class Campaign implements AsyncDisposable {
  readonly #member: MemberProcess;
  readonly #random: Random;
  readonly #clients: readonly Client[];
  readonly #observer: Client;
  readonly #history: RecordedHistory;
  readonly #acknowledged = new Acknowledged();
  readonly #workers: readonly Worker[];

  constructor(member: MemberProcess, random: Random) {
    this.#member = member;
    this.#random = random;
    const connect = () => createClient({ endpoints: [member.endpoint] });
    this.#observer = connect();
    this.#clients = Array.from({ length: clientCount }, connect);
    const history = new RecordedHistory(this.#observer);
    this.#history = history;
    this.#workers = Array.from({ length: workerCount }, (_, at) => {
      const client = this.#clients[at % clientCount] ?? this.#observer;
      return new Worker({ name: `worker-${at}`, client, random, history, acknowledged: this.#acknowledged });
    });
  }

  /** Operations acknowledged so far. */
  get acknowledged(): number {
    return this.#acknowledged.count;
  }

  /** Lets the workers write, kills the member meanwhile, starts it again, and looks for everything. */
  async killUnderLoad(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.get("connected"))); // Or the kill may come before the load.
    const stop = new AbortController();
    const working = Promise.all(this.#workers.map((worker) => worker.run(stop.signal)));
    await Promise.race([working, sleep(loadMs.min + this.#random.below(loadMs.max - loadMs.min))]);
    await this.#member.kill();
    stop.abort();
    await this.#member.restart();
    await working; // What was not sent before the kill may still be answered by the new process.
    await this.#acknowledged.verify(this.#observer, this.#history);
  }

  /** @throws Error if the member, one that replays its log, and etcd do not have the same history */
  async compareHashes(etcd: EtcdReplay | undefined): Promise<HistoryHash> {
    const own = await hashOf(this.#observer);
    await this.#member.kill();
    {
      await using log = await copyLog(this.#member.dataDir);
      expectSame(own, await log.replayedHash(flags), "a member that has only the log");
    }
    await this.#member.restart();
    if (etcd !== undefined) expectSame(own, await etcd.hashAt(this.#history, own), "etcd");
    return own;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#history[Symbol.asyncDispose]();
    await Promise.all([this.#observer, ...this.#clients].map((client) => client.close()));
  }
}

function expectSame(expected: HistoryHash, found: HistoryHash, whose: string): void {
  const show = ({ hash, revision, compactRevision }: HistoryHash) => `${hash} of (${compactRevision}, ${revision}]`;
  if (show(expected) !== show(found)) throw new Error(`HashKV is ${show(expected)}, and ${show(found)} in ${whose}`);
}
