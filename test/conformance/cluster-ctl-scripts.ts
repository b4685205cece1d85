/**
 * @module What is asked of etcdctl and conclavectl about a cluster of three, as data.
 *
 * Members are named by what they are when a script begins: `leader`, `follower-1`, `follower-2`. In an argument,
 * `$id(leader)` stands for a member's id, `$at(leader)` for its endpoint, `$peer(leader)` for its peer URL, `$all` for
 * all endpoints, `$new(1)` for a peer URL where nobody is, and `$added` for the id that the last `member add` has shown.
 */

/** A member by what it is when a script begins. */
export type Role = "leader" | "follower-1" | "follower-2";

/** One step of a script. */
export type ClusterStep =
  /** Runs a command to its end; with `ready`, again and again until the cluster is no longer too young for it. */
  | { readonly kind: "run"; readonly line: string; readonly ready: boolean }
  /** Kills a member. */
  | { readonly kind: "kill"; readonly role: Role }
  /** Starts it again. */
  | { readonly kind: "restart"; readonly role: Role }
  /** Waits until the members that are up agree on a leader. */
  | { readonly kind: "settle" };

/** A named list of steps. */
export interface ClusterScript {
  readonly title: string;
  readonly steps: readonly ClusterStep[];
}

const run = (line: string): ClusterStep => ({ kind: "run", line, ready: false });
const runWhenReady = (line: string): ClusterStep => ({ kind: "run", line, ready: true });
const kill = (role: Role): ClusterStep => ({ kind: "kill", role });
const restart = (role: Role): ClusterStep => ({ kind: "restart", role });
const settle: ClusterStep = { kind: "settle" };

const formats = ["simple", "table", "fields", "json"] as const;
const inFormats = (line: string): ClusterStep[] => formats.map((format) => run(`${line} -w ${format}`));
const fewKeys = ["put a 1", "put b 2", "del a", "put c 3"].map(run);
const briefly = "--command-timeout=1s --dial-timeout=1s";

/** Every script there is. */
export const clusterScripts: readonly ClusterScript[] = [
  {
    title: "a look at three members",
    steps: [
      ...fewKeys,
      ...inFormats("member list"),
      ...inFormats("endpoint status --cluster"),
      ...inFormats("endpoint status"),
      ...inFormats("endpoint health --cluster"),
      ...inFormats("endpoint hashkv --cluster"),
      run("endpoint hashkv --cluster --rev=3"),
      run("endpoint hashkv --cluster --rev=99"),
      run("--endpoints=$at(follower-1) endpoint status --cluster"),
      run("--endpoints=$at(follower-1) get b"),
      run("--endpoints=$at(follower-2) get b --consistency=s"),
      run("--endpoints=$at(follower-1) put b 3"),
    ],
  },
  {
    title: "a member that is down",
    steps: [
      ...fewKeys,
      kill("leader"),
      settle,
      run(`${briefly} endpoint health`),
      run(`${briefly} endpoint status`),
      run(`${briefly} endpoint hashkv`),
      run(`${briefly} --endpoints=$at(follower-1),$at(follower-2) endpoint status --cluster`),
      run(`${briefly} --endpoints=$at(follower-1),$at(follower-2) endpoint health --cluster -w json`),
      run("--endpoints=$at(follower-1) member list"),
      run("--endpoints=$at(follower-1) put d 4"),
      restart("leader"),
      settle,
      run("--endpoints=$at(leader) get d"),
      run("endpoint hashkv"),
      run("endpoint health"),
    ],
  },
  {
    title: "most members are down",
    steps: [
      ...fewKeys,
      kill("leader"),
      kill("follower-1"),
      run(`${briefly} --endpoints=$at(follower-2) endpoint health`),
      run(`${briefly} --endpoints=$at(follower-2) get b`),
      run("--endpoints=$at(follower-2) get b --consistency=s"),
      run(`${briefly} --endpoints=$at(follower-2) put b 9`),
      run(`${briefly} --endpoints=$at(follower-2) move-leader $id(follower-1)`),
      run("--endpoints=$at(follower-2) endpoint hashkv"),
    ],
  },
  {
    title: "move-leader",
    steps: [
      run("move-leader"),
      run("move-leader $id(leader) $id(follower-1)"),
      run("move-leader xyz"),
      run("move-leader 1234"),
      run("--endpoints=$at(follower-1) move-leader $id(follower-2)"),
      run("move-leader $id(follower-1)"),
      settle,
      run("endpoint status -w table"),
      run("--endpoints=$at(leader) move-leader $id(leader)"),
      run("move-leader $id(leader)"),
      settle,
      run("endpoint status"),
    ],
  },
  {
    title: "member add and what is refused",
    steps: [
      run("member add x --peer-urls=nonsense"),
      run("member add x --peer-urls=http://127.0.0.1"),
      run("member add x --peer-urls="),
      run("member add x y --peer-urls=$new(1)"),
      runWhenReady("member add x --peer-urls=$peer(follower-1)"),
      runWhenReady("member add x --peer-urls=$new(1) --learner"),
      run("member list"),
      run("member list -w json"),
      run("member add y --peer-urls=$new(2) --learner"),
      run("member promote $added"),
      run("member promote $id(leader)"),
      run("member promote 1234"),
      run("member promote xyz"),
      run("member promote"),
      run("member remove $added"),
      run("member remove $added"),
      run("member promote $added"),
      run("member list -w table"),
    ],
  },
  {
    title: "member add, update and remove in every format",
    // The id of a member follows from its URL and the second, and an id that was removed does not come back.
    steps: formats.flatMap((format, at) => [
      runWhenReady(`member add x --peer-urls=$new(${at + 1}) -w ${format}`),
      // Some formats do not show what was added.
      run("member list"),
      run(`member update $added --peer-urls=$new(${at + 5}) -w ${format}`),
      run(`member remove $added -w ${format}`),
      run("member list"),
    ]),
  },
  {
    title: "member update",
    steps: [
      run("member update"),
      run("member update $id(follower-1)"),
      run("member update 1234 --peer-urls=$new(1)"),
      run("member update $id(follower-1) --peer-urls=nonsense"),
      runWhenReady("member update $id(follower-1) --peer-urls=$peer(follower-2)"),
      runWhenReady("member update $id(follower-1) --peer-urls=$peer(follower-1),$new(1)"),
      run("member list"),
    ],
  },
  {
    title: "member remove",
    steps: [
      run("member remove"),
      run("member remove 1234"),
      run("member remove $id(leader) $id(follower-1)"),
      runWhenReady("member remove $id(follower-2)"),
      run("--endpoints=$at(leader),$at(follower-1) member list"),
      run("--endpoints=$at(leader),$at(follower-1) put a 1"),
      run("--endpoints=$at(leader),$at(follower-1) endpoint health --cluster"),
    ],
  },
  {
    title: "removing too many",
    steps: [
      kill("follower-2"),
      run("--endpoints=$at(leader) member remove $id(follower-1)"),
      run("--endpoints=$at(leader) member add x --peer-urls=$new(1)"),
      run("--endpoints=$at(leader) member remove $id(follower-2)"),
      run("--endpoints=$at(leader) member list"),
    ],
  },
];
