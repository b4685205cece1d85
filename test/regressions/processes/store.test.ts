/**
 * @module Bugs of etcd's database file, held against the store on a real disk: members in processes of their own, killed
 * while it is rewritten, hashed or thinned. Each test names the issue of etcd, and the change here that was tried and
 * makes it fail.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { between, type Client, createClient } from "@conclave/client";
import { type MemberProcess, seededRandom, startMemberProcess } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { copyLog, hashOf } from "../../campaign/replay.ts";

const seed = Number(process.env.SEED ?? 1);
/** So that the log holds everything since the beginning, and the store is never long behind. */
const flags: readonly string[] = ["--snapshot-count=1000000000", "--backend-batch-interval=5ms"];
const writers = 12;
/** Keys that are there before, so that rewriting the store takes a while. */
const keysBefore = 3_000;
const kills = 3;

/** What goes on besides the writes until the member is killed. */
type Disturbance = (client: Client) => Promise<unknown>;

/** A member that is killed again and again under load, and what it must have. */
class KilledMember implements AsyncDisposable {
  readonly #member: MemberProcess;
  readonly #client: Client;
  readonly #random = seededRandom(seed);
  readonly #acknowledged = new Set<string>();
  #round = 0;

  private constructor(member: MemberProcess) {
    this.#member = member;
    this.#client = createClient({ endpoints: [member.endpoint], timeoutMs: 10_000 });
  }

  /** Starts a member with a store of some size. */
  static async start(): Promise<KilledMember> {
    const killed = new KilledMember(await startMemberProcess({ flags }));
    await Promise.all(Array.from({ length: keysBefore }, (_, at) => killed.#write(`0/${at}`)));
    return killed;
  }

  /** Kills it at some moment of the disturbance, starts it again, and looks for every write. */
  async killDuring(disturbance: Disturbance): Promise<void> {
    this.#round++;
    let [running, killed] = [true, false];
    const repeat = async (work: (count: number) => Promise<unknown>): Promise<void> => {
      for (let count = 0; running; count++)
        await work(count).catch((error: unknown) => {
          running = false;
          if (!killed) throw error;
        });
    };
    const write = (writer: number) => (count: number) => this.#write(`${this.#round}/${writer}/${count}`);
    const writing = Array.from({ length: writers }, (_, writer) => repeat(write(writer)));
    const working = Promise.all([...writing, repeat(() => disturbance(this.#client))]);
    await Promise.race([working, sleep(300 + this.#random.below(500))]);
    [running, killed] = [false, true];
    await this.#member.kill();
    await this.#member.restart();
    await working; // What was not sent before the kill may still be answered by the new process.
    await this.#verify();
  }

  /** @throws if what it has is not what its log says */
  async compareWithLog(): Promise<void> {
    const own = await hashOf(this.#client);
    await this.#member.kill();
    await using log = await copyLog(this.#member.dataDir);
    expect(await log.replayedHash(flags)).toEqual(own);
  }

  async #write(key: string): Promise<void> {
    await this.#client.put(key, key.repeat(20 + this.#random.below(500)));
    this.#acknowledged.add(key);
  }

  /** Every put makes a key and a revision; one that is carried out twice makes a revision only. */
  async #verify(): Promise<void> {
    const { kvs, revision } = await this.#client.range(between("0", "~"), { keysOnly: true });
    const found = new Set(kvs.map(({ keyString }) => keyString));
    for (const key of this.#acknowledged) if (!found.has(key)) expect.fail(`${key} was acknowledged and is gone`);
    expect(revision).toBe(found.size + 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
    await this.#member[Symbol.asyncDispose]();
  }
}

describe(`a member that is killed (SEED=${seed})`, () => {
  // The applied index of a file that is being rewritten was ahead of its content, or behind it.
  // Fails if `copyTo` of the writer leaves out an entry.
  test("etcd#14685: while its store is defragmented applies every entry once", async () => {
    await using killed = await KilledMember.start();
    for (let kill = 0; kill < kills; kill++) await killed.killDuring((client) => client.maintenance.defragment());
    await killed.compareWithLog();
  });

  // Pages of the database were found to be others than they were said to be.
  // Fails if `defragment` lets the writer go on in the file that was replaced.
  test("etcd#20271: while its store is written, thinned, hashed and defragmented has a store that can be read", async () => {
    await using killed = await KilledMember.start();
    for (let kill = 0; kill < kills; kill++)
      await killed.killDuring(async (client) => {
        const { header } = await client.maintenance.hashKv();
        await client.compact(header.revision - 10).catch(() => {});
        await Promise.all([client.maintenance.hash(), client.maintenance.defragment()]);
      });
    await killed.compareWithLog();
  });
});
