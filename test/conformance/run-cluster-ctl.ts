/** @module Runs a script about a cluster through etcdctl or a program like it, and writes down what it prints. */
import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterMember, ClusterProcesses } from "@conclave/testkit";
import type { ClusterScript, ClusterStep, Role } from "./cluster-ctl-scripts.ts";

/** What a command printed and how it ended, with what may differ between two right clusters taken out. */
export interface ClusterShown {
  readonly command: string;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  readonly exit: number | string | null;
}

/** Runs a script on a cluster nothing has been done on. */
export async function runClusterScript(
  binary: string,
  cluster: ClusterProcesses,
  script: ClusterScript,
): Promise<ClusterShown[]> {
  const run = new ClusterRun(binary, cluster, await castOf(cluster));
  const shown: ClusterShown[] = [];
  for (const step of script.steps) {
    const what = await run.step(step);
    if (what !== undefined) shown.push(what);
  }
  return shown;
}

/** Who plays which role. */
interface Player {
  readonly role: Role;
  readonly member: ClusterMember;
  readonly id: bigint;
}

async function castOf(cluster: ClusterProcesses): Promise<readonly Player[]> {
  const leader = await cluster.waitForLeader({ among: cluster.members });
  const followers = cluster.members.filter((member) => member !== leader);
  const roles: readonly Role[] = ["leader", "follower-1", "follower-2"];
  return await Promise.all(
    [leader, ...followers].map(async (member, at) => {
      const { header } = await member.status();
      return { role: roles[at] ?? "follower-2", member, id: header.memberId };
    }),
  );
}

interface Ending {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: number | string | null;
}

/** A cluster refuses changes until all members have been connected for five seconds. */
const youthMsMax = 15_000;
const youth = /unhealthy cluster/;
const pollMs = 250;
const runTimeoutMs = 20_000;

class ClusterRun {
  readonly #binary: string;
  readonly #cluster: ClusterProcesses;
  #cast: readonly Player[];
  #added = "";

  constructor(binary: string, cluster: ClusterProcesses, cast: readonly Player[]) {
    this.#binary = binary;
    this.#cluster = cluster;
    this.#cast = cast;
  }

  async step(step: ClusterStep): Promise<ClusterShown | undefined> {
    switch (step.kind) {
      case "run":
        return this.#shown(step.line, await this.#run(step));
      case "kill":
        await this.#player(step.role).member.kill();
        return undefined;
      case "restart":
        await this.#player(step.role).member.restart();
        return undefined;
      case "settle":
        await this.#settle();
        return undefined;
    }
  }

  /** Waits for a leader. One that follows another is from now on `follower-1`, whoever of the two it is. */
  async #settle(): Promise<void> {
    const up = this.#cluster.members.filter(({ exit }) => exit === undefined);
    const leader = await this.#cluster.waitForLeader({ among: up });
    if (this.#player("follower-2").member !== leader) return;
    const swapped = { leader: "leader", "follower-1": "follower-2", "follower-2": "follower-1" } as const;
    this.#cast = this.#cast.map((player) => ({ ...player, role: swapped[player.role] }));
  }

  async #run({ line, ready }: { readonly line: string; readonly ready: boolean }): Promise<Ending> {
    const deadline = performance.now() + youthMsMax;
    for (;;) {
      const ending = await this.#execute(line);
      const wait = ready && youth.test(ending.stderr) && performance.now() < deadline;
      if (!wait) return ending;
      await sleep(pollMs);
    }
  }

  async #execute(line: string): Promise<Ending> {
    const given = line.split(" ").map((arg) => this.#resolve(arg));
    const args = line.includes("--endpoints=") ? given : [`--endpoints=${this.#endpointsFor(line)}`, ...given];
    const options = { env: { PATH: process.env.PATH, ETCDCTL_API: "3" }, timeout: runTimeoutMs };
    const ending = await new Promise<Ending>((resolve) => {
      // Where the members have host names, so has whoever asks.
      const here = this.#player("leader").member.commandHere({ binary: this.#binary, args });
      const child = execFile(here.binary, here.args, options, (_error, stdout, stderr) => {
        resolve({ stdout, stderr, exit: child.exitCode ?? child.signalCode });
      });
    });
    if (line.startsWith("member")) this.#noteAdded(ending.stdout);
    return ending;
  }

  /** Commands that one member answers are put to the leader, for the answer names the member that was asked. */
  #endpointsFor(line: string): string {
    const ofEach = /\b(endpoint|move-leader)\b/.test(line);
    return ofEach ? this.#cluster.endpoints.join(",") : this.#player("leader").member.endpoint;
  }

  /** The first id in an output that is neither a founder's nor the cluster's. */
  #noteAdded(output: string): void {
    const added = /^Member +([0-9a-f]+) added to cluster/m.exec(output) ?? /^([0-9a-f]+), unstarted/m.exec(output);
    if (added?.[1] !== undefined) this.#added = added[1];
  }

  #resolve(arg: string): string {
    return arg
      .replaceAll("$all", this.#cluster.endpoints.join(","))
      .replaceAll("$added", this.#added)
      .replace(/\$new\((\d)\)/g, "http://127.0.0.1:$1")
      .replace(/\$(id|at|peer)\(([\w-]+)\)/g, (_, what: string, role: string) => {
        const { id, member } = this.#player(role as Role);
        return what === "id" ? id.toString(16) : what === "at" ? member.endpoint : member.peerUrl;
      });
  }

  #player(role: Role): Player {
    const player = this.#cast.find((each) => each.role === role);
    if (player === undefined) throw new TypeError(`Nobody plays "${role}"`);
    return player;
  }

  #shown(line: string, { stdout, stderr, exit }: Ending): ClusterShown {
    return {
      command: line,
      stdout: this.#normalise(stdout),
      stderr: this.#normalise(stderr).filter((each) => !each.startsWith('{"level":')),
      exit,
    };
  }

  /** Members appear in the order of their ids, which nobody chooses: lines and blocks are sorted by what they say. */
  #normalise(text: string): string[] {
    const named = this.#cast.reduce((renamed, { role, member, id }) => {
      const { name, endpoint, peerUrl } = member;
      return renamed
        .replaceAll(peerUrl, `<peer of ${role}>`)
        .replaceAll(`http://${name}:2379`, `<url of ${role}>`)
        .replaceAll(`http://${endpoint}`, `<url of ${role}>`)
        .replaceAll(endpoint, `<endpoint of ${role}>`)
        .replaceAll(new RegExp(`\\b(${id.toString(16)}|${id})\\b`, "g"), `<id of ${role}>`)
        .replaceAll(new RegExp(`\\b${name}\\b(?!\\.)`, "g"), `<name of ${role}>`);
    }, text);
    const whole = patterns.reduce((shown, [pattern, replacement]) => shown.replace(pattern, replacement), named);
    const blocks = whole
      .replace(/^\n+|\n+$/g, "")
      .split(/\n\n+/)
      .map((block) => block.split("\n").map(sortedList));
    if (blocks.length > 2) return blocks.map((lines) => lines.join("\n")).sort();
    return blocks.flat().sort();
  }
}

/** The parts of a list within a line, sorted. */
function sortedList(line: string): string {
  if (line.startsWith("ETCD_INITIAL_CLUSTER=")) return line.replace(/"(.*)"/, (_, list: string) => sortedBy(list, ","));
  if (!/^[[{].*[\]}]$/.test(line)) return line;
  return JSON.stringify(JSON.parse(line.replace(/(?<=[:[,])<[^>]+>/g, '"$&"')), (_, value: unknown) =>
    Array.isArray(value) ? value.map((each) => JSON.stringify(each)).sort() : value,
  );
}

function sortedBy(list: string, separator: string): string {
  return list.split(separator).sort().join(separator);
}

const patterns: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  // Ids fill sixteen characters; the header of a list of fields stands before the first member's.
  [/\b(Member|in cluster|to cluster|from cluster) +/g, "$1 "],
  [/^(?="ID" :)/gm, "\n"],
  // Why an endpoint cannot be reached is told in more detail, and told at once.
  [/("error":|unhealthy: failed to commit proposal: |"Error" : ).*?(?=}|$)/gm, "$1<reason>"],
  // Whether a time runs out here or there is a matter of microseconds.
  [/rpc error: code = Unknown desc = (?=context deadline exceeded)/g, ""],
  // Boxes of tables are as wide as what differs in them.
  [/^[┌├└+][─┬┼┴+-]+[┐┤┘+]$/gm, "<border>"],
  [/│/g, "|"],
  [/(\|) +| +(?=\|)/g, "$1 "],
  // The line of an endpoint: version, size, leader, learner, term, index, applied index.
  [/(<id of [\w-]+>(?:,| \|)) [\d.]+(,| \|) [\d.]+ [kM]?B(,| \|)/g, "$1 <version>$2 <size>$3"],
  [/(true|false)(,| \|) (true|false)(,| \|) \d+(,| \|) \d+(,| \|) \d+/g, "$1 $3 <term> <index> <applied>"],
  // Other ids: of clusters and of members that were added.
  [/\b[0-9a-f]{14,16}\b/g, "<id>"],
  [/\b\d{16,20}\b/g, "<id>"],
  [/\d+(\.\d+)?(µs|ms|s)\b(?=")|(?<=took = )\S+/g, "<duration>"],
  [/(?<=\| )\d+(\.\d+)?(µs|ms|s)(?= \|)/g, "<duration>"],
  [/"Took" : \S+/g, '"Took" : <duration>'],
  [
    /"(RaftTerm|raft_term|raftTerm|RaftIndex|raftIndex|RaftAppliedIndex|raftAppliedIndex|DBSize|dbSize|DBSizeInUse|dbSizeInUse)" ?: ?\d+/g,
    '"$1":"<number>"',
  ],
  [/"(Version|version)" ?: ?"[^"]*"/g, '"$1":"<text>"'],
];
