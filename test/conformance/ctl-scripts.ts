/**
 * @module What is asked of etcdctl, as data, so that the same can be asked of conclavectl.
 *
 * Each script runs on a server nothing has been done on, so revisions can be compared as they are. `$name` in an
 * argument stands for the first id in the output of the step kept under that name.
 */

import type { EtcdVersion } from "@conclave/testkit";

/** One step of a script. */
export type CtlStep = CtlStepKind & {
  /** The rows of docs/compatibility.md that say why a version of etcd shows something else here. */
  readonly differs?: Partial<Record<EtcdVersion, string>>;
};

type CtlStepKind =
  /** Runs a command to its end. */
  | {
      readonly kind: "run";
      readonly args: readonly string[];
      readonly stdin: string;
      readonly as?: string;
      /** More variables of its environment. */
      readonly env?: Readonly<Record<string, string>>;
    }
  /** Starts a command that does not end by itself. */
  | { readonly kind: "start"; readonly name: string; readonly args: readonly string[] }
  /** Waits until a started command has printed so many lines. */
  | { readonly kind: "lines"; readonly name: string; readonly count: number }
  /** Types into a started command. */
  | { readonly kind: "type"; readonly name: string; readonly text: string }
  /** Interrupts a started command as Ctrl-C does, and shows what it printed and how it ended. */
  | { readonly kind: "interrupt"; readonly name: string }
  /** Waits until a started command ends by itself, and shows the same. */
  | { readonly kind: "wait"; readonly name: string };

/** A named list of steps. */
export interface CtlScript {
  readonly title: string;
  readonly steps: readonly CtlStep[];
}

const differing = (version: EtcdVersion, row: string, step: CtlStep): CtlStep => ({
  ...step,
  differs: { ...step.differs, [version]: row },
});

/** Runs a command line, split at single spaces. */
const run = (line: string, stdin = ""): CtlStep => ({ kind: "run", args: line.split(" "), stdin });
/** Runs a command line and keeps the id it prints. */
const keep = (as: string, line: string): CtlStep => ({ kind: "run", args: line.split(" "), stdin: "", as });
/** Runs a command with arguments that hold spaces. */
const runArgs = (...args: readonly string[]): CtlStep => ({ kind: "run", args, stdin: "" });
/** Runs a command line with a setting in its environment: `ETCDCTL_` and the name. */
const runWith = (setting: string, value: string, line: string): CtlStep => ({
  ...{ kind: "run", args: line.split(" "), stdin: "" },
  env: { [`ETCDCTL_${setting}`]: value },
});
const start = (name: string, line: string): CtlStep => ({ kind: "start", name, args: line.split(" ") });
const lines = (name: string, count: number): CtlStep => ({ kind: "lines", name, count });
const type = (name: string, text: string): CtlStep => ({ kind: "type", name, text });
const interrupt = (name: string): CtlStep => ({ kind: "interrupt", name });
const wait = (name: string): CtlStep => ({ kind: "wait", name });

const formats = ["simple", "fields", "json"] as const;
const inFormats = (line: string): CtlStep[] => formats.map((format) => run(`${line} -w ${format}`));

const fewKeys = ["put a 1", "put b 2", "put a 3", "put c 4", "put ab 5"].map((line) => run(line));

const txnInput = (compares: string, success: string, failure: string): string =>
  `${compares}\n\n${success}\n\n${failure}\n\n`;

const kv: readonly CtlScript[] = [
  {
    title: "put",
    steps: [
      run("put foo bar"),
      run("put foo bar2 --prev-kv"),
      run("put foo", "from standard input"),
      run("get foo"),
      ...inFormats("put foo bar3"),
      ...inFormats("put foo bar4 --prev-kv"),
      run("put foo --ignore-value"),
      run("put foo bar --ignore-lease"),
      run("put nothing --ignore-value"),
      run("put foo bar --lease=77"),
      run("put foo bar --lease=xyz"),
      runArgs("put", "foo", "two words"),
      runArgs("put", "--", "-dash", "--value"),
      run("get -- -dash"),
      runArgs("put", "", "no key"),
      runArgs("put", "empty", ""),
      run("get empty"),
      run("put"),
      run("put a b c"),
      run("put foo bar -w nonsense"),
      run("put foo bar --nonsense"),
    ],
  },
  {
    title: "get",
    steps: [
      ...fewKeys,
      run("get a"),
      run("get nothing"),
      run("get a c"),
      run("get a --prefix"),
      runArgs("get", "", "--prefix"),
      run("get b --from-key"),
      runArgs("get", "", "--from-key"),
      run("get a --prefix --limit=1"),
      run("get a --prefix --keys-only"),
      run("get a --prefix --print-value-only"),
      run("get a --rev=2"),
      run("get a --rev=99"),
      run("get a --hex"),
      run("get a --consistency=s"),
      run("get a --consistency=l"),
      run("get a --consistency=x"),
      ...["KEY", "VERSION", "CREATE", "MODIFY", "VALUE"].flatMap((target) =>
        ["ASCEND", "DESCEND"].map((order) => run(`get a --from-key --sort-by=${target} --order=${order}`)),
      ),
      run("get a --order=BAD"),
      run("get a --sort-by=BAD"),
      ...inFormats("get a --prefix"),
      ...inFormats("get nothing"),
      run("get a -w json --hex"),
      run("get a -w fields --hex"),
      run("get a -w table"),
      run("get a --prefix --from-key"),
      run("get a b --prefix"),
      run("get"),
      run("get a b c"),
      run("get a --print-value-only -w json"),
    ],
  },
  {
    title: "get of values that are no text",
    steps: [
      run("put line", "one\ntwo\n"),
      run("get line"),
      run("get line -w fields"),
      run("get line --hex"),
      runArgs("put", "uni", "ünïcödé €"),
      run("get uni"),
      run("get uni -w fields"),
      run("get uni -w json"),
      runArgs("put", "quo", 'say "hi"\t\\'),
      run("get quo -w fields"),
    ],
  },
  {
    title: "del",
    steps: [
      ...fewKeys,
      run("del nothing"),
      run("del a --prev-kv"),
      run("del a"),
      ...fewKeys,
      run("del a c --prev-kv"),
      ...fewKeys,
      run("del a --prefix"),
      ...fewKeys,
      run("del b --from-key"),
      ...fewKeys,
      runArgs("del", "", "--prefix"),
      ...fewKeys,
      ...inFormats("del b --prev-kv"),
      ...inFormats("del c"),
      run("del"),
      run("del a b c"),
      run("del a --prefix --from-key"),
    ],
  },
  {
    title: "txn",
    steps: [
      ...fewKeys,
      run("txn", txnInput('value("a") = "3"', "put yes 1", "put no 1")),
      run("txn", txnInput('value("a") = "wrong"', "put yes 1", "put no 1\nget a")),
      run("txn", txnInput('version("a") = "2"', "get a", "")),
      run("txn", txnInput('ver("a") = "2"', "get a", "")),
      run("txn", txnInput('create("a") < "3"', "get a", "")),
      run("txn", txnInput('c("a") < "3"', "get a", "")),
      run("txn", txnInput('mod("a") > "3"', "get a", "")),
      run("txn", txnInput('m("a") > "3"', "get a", "")),
      run("txn", txnInput('mod("a") > "0"\nmod("b") > "0"', "get a\nget b", "")),
      run("txn", txnInput("", "put x 1\nget x\ndel x", "")),
      run("txn", txnInput("", "put x 1\ndel a --prefix --prev-kv", "")),
      ...formats.map((format) => run(`txn -w ${format}`, txnInput('mod("b") > "0"', "put z 1\nget z\ndel b", "get z"))),
      run("txn", txnInput('nonsense("a") = "1"', "get a", "")),
      run("txn", txnInput('mod("a")', "get a", "")),
      run("txn", txnInput("", "nonsense a", "")),
      run("txn", txnInput("", "put", "")),
      run("txn", txnInput("", "put k 1\nput k 2", "")),
      run("txn argument"),
    ],
  },
  {
    title: "compaction",
    steps: [
      ...fewKeys,
      run("compaction 3"),
      run("compaction 3"),
      run("compaction 99"),
      run("compaction 5 --physical"),
      run("get a --rev=4"),
      run("get a --rev=5"),
      run("compaction"),
      run("compaction x"),
      run("compaction 5 6"),
    ],
  },
];

const watch: readonly CtlScript[] = [
  {
    title: "watch a key",
    steps: [
      ...fewKeys,
      start("w", "watch a --rev=2"),
      lines("w", 6),
      run("del a"),
      run("put a 6"),
      lines("w", 12),
      interrupt("w"),
    ],
  },
  {
    title: "watch with prev-kv",
    steps: [...fewKeys, start("w", "watch a --rev=2 --prev-kv"), run("del a"), lines("w", 13), interrupt("w")],
  },
  {
    title: "watch a prefix, from a key on, and a range",
    steps: [
      ...fewKeys,
      start("p", "watch a --prefix --rev=2"),
      start("r", "watch a b --rev=2"),
      lines("p", 9),
      lines("r", 9),
      interrupt("p"),
      interrupt("r"),
    ],
  },
  ...(["fields", "json"] as const).map((format) => ({
    title: `watch in ${format}`,
    steps: [
      ...fewKeys,
      start("w", `watch a --rev=2 -w ${format}`),
      lines("w", format === "json" ? 1 : 18),
      interrupt("w"),
    ],
  })),
  {
    title: "watch a compacted revision",
    steps: [...fewKeys, run("compaction 5"), start("w", "watch a --rev=2"), wait("w")],
  },
  {
    title: "watch and run a command for each event",
    steps: [
      ...fewKeys,
      { kind: "start", name: "w", args: ["watch", "a", "--rev=2", "--", "sh", "-c", "env | grep ^ETCD_WATCH | sort"] },
      lines("w", 14),
      interrupt("w"),
    ],
  },
  {
    title: "watch interactively",
    steps: [
      ...fewKeys,
      start("w", "watch -i"),
      type("w", "watch a --rev=2\n"),
      lines("w", 6),
      type("w", "watch b --rev=2\n"),
      lines("w", 9),
      interrupt("w"),
    ],
  },
  {
    title: "watch interactively and ask how far it is",
    steps: [
      ...fewKeys,
      start("w", "watch -i"),
      type("w", "watch a --rev=2\n"),
      lines("w", 6),
      type("w", "progress\n"),
      lines("w", 7),
      run("put a 6"),
      lines("w", 10),
      type("w", "progress\n"),
      lines("w", 11),
      interrupt("w"),
    ],
  },
  { title: "watch without a key", steps: [run("watch"), run("watch a b --prefix")] },
];

const leases: readonly CtlScript[] = [
  {
    title: "lease",
    steps: [
      run("lease list"),
      keep("lease", "lease grant 100"),
      run("put a 1 --lease=$lease"),
      run("get a -w fields"),
      run("lease timetolive $lease"),
      run("lease timetolive $lease --keys"),
      ...inFormats("lease timetolive $lease --keys"),
      run("lease keep-alive --once $lease"),
      ...inFormats("lease keep-alive --once $lease"),
      ...inFormats("lease list"),
      run("put b 1 --lease=$lease"),
      run("put a 2 --ignore-lease"),
      run("put b 2"),
      run("lease revoke $lease"),
      run("get a"),
      run("get b"),
      run("lease timetolive $lease"),
      ...inFormats("lease timetolive $lease"),
      run("lease revoke $lease"),
      run("lease keep-alive --once $lease"),
      run("lease list"),
    ],
  },
  {
    title: "lease errors and formats",
    steps: [
      run("lease grant"),
      run("lease grant x"),
      run("lease grant 0"),
      run("lease grant 9000000001"),
      run("lease grant 1"),
      ...formats.map((format) => run(`lease grant 100 -w ${format}`)),
      run("lease revoke"),
      run("lease revoke xyz"),
      run("lease revoke 123"),
      run("lease timetolive"),
      run("lease timetolive xyz"),
      run("lease timetolive 123"),
      run("lease keep-alive"),
      run("lease keep-alive xyz"),
      run("lease keep-alive 123"),
      keep("lease", "lease grant 100"),
      ...formats.map((format) => run(`lease revoke $lease -w ${format}`)),
    ],
  },
  {
    title: "lease keep-alive",
    steps: [
      keep("lease", "lease grant 100"),
      start("k", "lease keep-alive $lease"),
      lines("k", 1),
      run("lease revoke $lease"),
      interrupt("k"),
    ],
  },
];

const recipes: readonly CtlScript[] = [
  {
    title: "lock",
    steps: [
      start("one", "lock n"),
      lines("one", 1),
      run("get n --prefix --keys-only"),
      start("two", "lock n"),
      interrupt("one"),
      lines("two", 1),
      interrupt("two"),
      run("get n --prefix"),
    ],
  },
  {
    title: "lock and run a command",
    steps: [
      run("lock n echo locked"),
      { kind: "run", args: ["lock", "n", "sh", "-c", "echo $ETCD_LOCK_KEY; exit 3"], stdin: "" },
      run("lock n --ttl=10 true"),
      run("lock n no-such-program-at-all"),
      run("lock"),
      run("get n --prefix"),
    ],
  },
  {
    title: "elect",
    steps: [
      start("one", "elect e first"),
      lines("one", 2),
      start("listener", "elect -l e"),
      lines("listener", 2),
      start("two", "elect e second"),
      interrupt("one"),
      lines("two", 2),
      lines("listener", 4),
      interrupt("two"),
      interrupt("listener"),
      run("get e --prefix"),
      run("elect"),
      run("elect a b c"),
    ],
  },
];

const cluster: readonly CtlScript[] = [
  {
    title: "endpoint",
    steps: [
      ...fewKeys,
      run("endpoint health"),
      run("endpoint health --cluster"),
      run("endpoint health -w json"),
      run("endpoint status"),
      run("endpoint status -w table"),
      run("endpoint status -w fields"),
      run("endpoint hashkv"),
      run("endpoint hashkv -w fields"),
      run("endpoint hashkv -w json"),
      run("endpoint hashkv -w table"),
      run("endpoint hashkv --rev=3"),
      run("endpoint hashkv --rev=99"),
    ],
  },
  {
    title: "endpoint that does not answer",
    steps: [
      run("--endpoints=127.0.0.1:1 endpoint health --command-timeout=300ms"),
      run("--endpoints=127.0.0.1:1 get a --command-timeout=300ms"),
    ],
  },
  {
    title: "member",
    steps: [
      run("member list"),
      run("member list -w table"),
      run("member list -w fields"),
      run("member list -w json"),
      run("member remove"),
      run("member remove xyz"),
      run("member update 12"),
      run("member add"),
      run("member add x"),
    ],
  },
  {
    title: "alarm, defrag and hash",
    steps: [
      ...fewKeys,
      run("alarm list"),
      differing("3.4", "alarm-header", run("alarm list -w fields")),
      differing("3.4", "alarm-header", run("alarm list -w json")),
      run("alarm disarm"),
      run("alarm list extra"),
      run("defrag"),
      run("get a"),
      run("move-leader 12"),
      run("move-leader xyz"),
      run("move-leader"),
    ],
  },
  {
    title: "the command line itself",
    steps: [
      run("nonsense"),
      run("get a --nonsense"),
      run("get a --limit=x"),
      run("get a -w"),
      run("get a --command-timeout=x"),
      run("get a --dial-timeout=x"),
      run("get a --hex=perhaps"),
    ],
  },
  {
    title: "settings",
    steps: [
      ...fewKeys,
      run("get a --dial-timeout=3s --command-timeout=7s --keepalive-time=4s --keepalive-timeout=9s"),
      run("get a --insecure-discovery=false --insecure-transport=true"),
      run("get a --user=root:secret"),
      run("get a --user=root --password=secret"),
      run("--hex get a"),
      run("--write-out=json get a"),
      run("get a --cert=/no/such/file --key=/no/such/file"),
      run("get a --cacert=/no/such/file"),
      run("get a --key=/no/such/file"),
      runWith("WRITE_OUT", "json", "get a"),
      runWith("WRITE_OUT", "nonsense", "get a"),
      runWith("HEX", "true", "get a"),
      runWith("DIAL_TIMEOUT", "3s", "get a"),
      runWith("COMMAND_TIMEOUT", "7s", "get a"),
      runWith("KEEPALIVE_TIME", "4s", "get a"),
      runWith("KEEPALIVE_TIMEOUT", "9s", "get a"),
      runWith("INSECURE_DISCOVERY", "false", "get a"),
      runWith("INSECURE_TRANSPORT", "true", "get a"),
      runWith("INSECURE_SKIP_TLS_VERIFY", "false", "get a"),
      runWith("USER", "root:secret", "get a"),
      runWith("PASSWORD", "secret", "get a --user=root"),
      runWith("CACERT", "/no/such/file", "get a"),
      runWith("WRITE_OUT", "json", "get a -w simple"),
      runWith("ENDPOINTS", "127.0.0.1:1", "get a"),
      runWith("NONSENSE", "1", "get a"),
    ],
  },
  {
    title: "formats that a command does not have",
    steps: [
      ...["put a 1", "get a", "del a", "lease grant 100", "lease list", "alarm list", "compaction 2"].flatMap(
        (line) => [run(`${line} -w table`), run(`${line} -w nonsense`)],
      ),
      run("txn -w table", txnInput("", "get a", "")),
      run("lease revoke 123 -w protobuf"),
      run("endpoint status -w protobuf"),
      run("endpoint health -w protobuf"),
      run("endpoint hashkv -w protobuf"),
      run("defrag -w table"),
    ],
  },
];

/** What etcdctl 3.5 has and 3.4 has not. */
export const ctlScriptsOf35: readonly CtlScript[] = [
  {
    title: "options that came with 3.5",
    steps: [
      ...fewKeys,
      run("get a --prefix --count-only"),
      run("get a --prefix --count-only -w fields"),
      run("get a --from-key --count-only -w fields --limit=1"),
      run("get nothing --count-only -w fields"),
      run("get a --count-only -w json"),
      run("get a --count-only --keys-only"),
      run("del b --range"),
      run("del a c --range"),
      ...fewKeys,
      run("del a --range --prefix"),
      run("del b --range --from-key --prev-kv"),
      run("del a b c --range"),
      run("auth status"),
      run("auth status extra"),
      run("auth status -w json"),
      run("auth status -w table"),
      run("make-mirror"),
      run("make-mirror a b --dest-user=root --dest-password=secret"),
      run("alarm list -w fields"),
      run("alarm list -w json"),
    ],
  },
  {
    title: "watch with notices of progress",
    steps: [...fewKeys, start("w", "watch a --rev=2 --progress-notify"), lines("w", 6), interrupt("w")],
  },
];

const asRoot = (line: string): CtlStep => run(`--user=root:secret ${line}`);
const asAnn = (line: string): CtlStep => run(`--user=ann:hers ${line}`);

const auth: readonly CtlScript[] = [
  {
    title: "user",
    steps: [
      run("user add ann:hers"),
      run("user add ann:again"),
      run("user add bob --interactive=false", "his\n"),
      run("user add kim --no-password"),
      run("user add lou --new-user-password=long"),
      run("user add a b"),
      run("user list"),
      run("user list -w json"),
      run("user passwd ann --interactive=false", "new\n"),
      run("user passwd none --interactive=false", "new\n"),
      run("role add reader"),
      run("user grant-role ann reader -w json"),
      run("user grant-role ann none"),
      run("user grant-role none reader"),
      run("user get ann"),
      run("user get ann -w json"),
      run("user get none"),
      run("role grant-permission reader readwrite k"),
      run("user get ann --detail"),
      run("user revoke-role ann reader -w fields"),
      run("user revoke-role ann none"),
      run("user delete bob"),
      run("user delete bob"),
      run("user delete"),
    ],
  },
  {
    title: "role",
    steps: [
      run("role add r"),
      run("role add r"),
      run("role grant-permission r read k"),
      run("role grant-permission r write k"),
      run("role grant-permission r readwrite a c"),
      run("role grant-permission r read p --prefix"),
      run("role grant-permission r write q --from-key"),
      runArgs("role", "grant-permission", "r", "read", "", "--prefix"),
      runArgs("role", "grant-permission", "r", "read", "", "--from-key"),
      run("role grant-permission r read p --prefix --from-key"),
      run("role grant-permission r read a b --prefix"),
      run("role grant-permission r nonsense k"),
      run("role grant-permission none read k"),
      ...inFormats("role get r"),
      run("role get none"),
      run("role list"),
      run("role list -w json"),
      run("role revoke-permission r k"),
      run("role revoke-permission r a c"),
      run("role revoke-permission r p --prefix"),
      run("role revoke-permission r q --from-key"),
      run("role revoke-permission r k"),
      run("role revoke-permission none k"),
      run("role get r"),
      run("role delete r"),
      run("role delete r"),
    ],
  },
  {
    title: "auth",
    steps: [
      run("auth enable"),
      run("auth disable"),
      run("user add root:secret"),
      run("user add ann:hers"),
      run("role add ann"),
      run("role grant-permission ann readwrite a --prefix"),
      run("user grant-role ann ann"),
      run("--user=ann:hers get a"),
      run("auth enable"),
      run("get a"),
      run("put a 1"),
      run("user list"),
      run("auth disable"),
      run("--user=ann:wrong get a"),
      run("--user=ann --password=hers get a"),
      asAnn("put a 1"),
      asAnn("get a --prefix"),
      asAnn("get a c"),
      asAnn("get b"),
      asAnn("put b 1"),
      asAnn("del a --from-key"),
      asAnn("watch b"),
      asAnn("user list"),
      asAnn("user get ann"),
      asAnn("role get ann"),
      asAnn("member list"),
      asAnn("defrag"),
      run("--user=ann:hers txn", txnInput('value("b") = "1"', "get a", "get a")),
      run("--user=ann:hers txn", txnInput('value("a") = "1"', "put b 1", "put b 1")),
      asRoot("get a --prefix"),
      asRoot("user delete root"),
      asRoot("role delete root"),
      asRoot("user revoke-role root root"),
      asRoot("user delete ann"),
      asAnn("get a"),
      asRoot("auth disable"),
      run("get a --prefix"),
      run("--user=ann:hers get ab"),
    ],
  },
];

/** Every script there is. */
export const ctlScripts: readonly CtlScript[] = [...kv, ...watch, ...leases, ...recipes, ...cluster, ...auth];
