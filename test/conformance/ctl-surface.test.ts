/** @module Every command of etcdctl and every option it takes, held to etcdctl itself and to conclavectl. */
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { runConclavectl } from "@conclave/cli";
import { etcdAbsence, etcdBinaryOrThrow } from "@conclave/testkit";
import { describe, expect, it } from "vitest";

/** The options of each command, those of all commands under the name "". */
type Surface = Readonly<Record<string, readonly string[]>>;

const restoreOptions =
  "data-dir initial-advertise-peer-urls initial-cluster initial-cluster-token name skip-hash-check";
const checkOptions = ["auto-compact", "auto-defrag", "load", "prefix"];
const destinationOptions = "dest-cacert dest-cert dest-insecure-transport dest-key dest-prefix no-dest-prefix prefix";

const none: Surface = Object.fromEntries(
  [
    ...["alarm disarm", "alarm list", "auth disable", "auth enable", "endpoint health", "endpoint status"],
    ...["lease grant", "lease list", "lease revoke", "member list", "member promote", "member remove", "move-leader"],
    ...["role add", "role delete", "role get", "role list", "snapshot save", "snapshot status", "version"],
    ...["user delete", "user grant-role", "user list", "user revoke-role"],
  ].map((command) => [command, []]),
);

const of34: Surface = {
  ...none,
  "": [
    ...["cacert", "cert", "command-timeout", "debug", "dial-timeout", "discovery-srv", "discovery-srv-name"],
    ...["endpoints", "hex", "insecure-discovery", "insecure-skip-tls-verify", "insecure-transport", "keepalive-time"],
    ...["keepalive-timeout", "key", "password", "user", "write-out"],
  ],
  "check datascale": checkOptions,
  "check perf": checkOptions,
  compaction: ["physical"],
  defrag: ["cluster", "data-dir"],
  del: ["from-key", "prefix", "prev-kv"],
  elect: ["listen"],
  endpoint: ["cluster"],
  "endpoint hashkv": ["rev"],
  get: "consistency from-key keys-only limit order prefix print-value-only rev sort-by".split(" "),
  "lease keep-alive": ["once"],
  "lease timetolive": ["keys"],
  lock: ["ttl"],
  "make-mirror": destinationOptions.split(" "),
  "member add": ["learner", "peer-urls"],
  "member update": ["peer-urls"],
  put: ["ignore-lease", "ignore-value", "lease", "prev-kv"],
  "role grant-permission": ["from-key", "prefix"],
  "role revoke-permission": ["from-key", "prefix"],
  "snapshot restore": [...restoreOptions.split(" "), "wal-dir"],
  txn: ["interactive"],
  "user add": ["interactive", "new-user-password", "no-password"],
  "user get": ["detail"],
  "user passwd": ["interactive"],
  watch: ["interactive", "prefix", "prev-kv", "rev"],
};

const cameWith35: Surface = {
  "auth status": [],
  del: ["range"],
  get: ["count-only"],
  "make-mirror": ["dest-password", "dest-user"],
  "snapshot restore": ["bump-revision", "initial-memory-map-size", "mark-compacted"],
  watch: ["progress-notify"],
};

/** As its announcements name them; no etcdctl of this line is at hand to compare with. */
const cameWith36: Surface = {
  "": ["auth-jwt-token", "max-recv-bytes", "max-request-bytes"],
  "downgrade cancel": [],
  "downgrade enable": [],
  "downgrade validate": [],
  "make-mirror": ["max-txn-ops", "rev"],
  "member list": ["consistency"],
};

function union(...surfaces: readonly Surface[]): Surface {
  const all: Record<string, readonly string[]> = {};
  for (const [command, options] of surfaces.flatMap((surface) => Object.entries(surface)))
    all[command] = [...(all[command] ?? []), ...options].sort();
  return all;
}

const surfaces = { "3.4": of34, "3.5": union(of34, cameWith35) } as const;

const wordsOf = (command: string): readonly string[] => (command === "" ? [] : command.split(" "));

/** The help of a command of conclavectl. */
async function ownHelp(command: string): Promise<string> {
  let shown = "";
  await runConclavectl({
    args: [...wordsOf(command), "--help"],
    env: {},
    stdin: Readable.from([]),
    out(text) {
      shown += text;
    },
    err: () => undefined,
    interruption: () => new AbortController().signal,
  });
  return shown;
}

describe("conclavectl takes every command and option of etcdctl", () => {
  it.each(Object.entries(union(surfaces["3.5"], cameWith36)))("%s", async (command, options) => {
    const text = await ownHelp(command);
    expect(text).toMatch(new RegExp(`^Usage: ${["conclavectl", ...wordsOf(command)].join(" ")}\\b`));
    const [, section = ""] = /\nOptions:\n([\s\S]*?)(?:\n\n|$)/.exec(text) ?? [];
    const names = [...section.matchAll(/^ {2}(?:-\w, )?--([\w-]+)/gm)].map(([, name = ""]) => name);
    expect(names).toEqual(expect.arrayContaining([...options]));
  });
});

function help(etcdctl: string, command: string): string {
  return spawnSync(etcdctl, [...wordsOf(command), "--help"], { encoding: "utf8", env: { ETCDCTL_API: "3" } }).stdout;
}

/** The options that the help of a command names. */
function helpedOptions(text: string): readonly string[] {
  const [, section = ""] = /\nOPTIONS:\n([\s\S]*?)(?:\n\n|$)/.exec(text) ?? [];
  const names = [...section.matchAll(/^ +(?:-\w, )?--([\w-]+)/gm)].map(([, name = ""]) => name);
  return names.filter((name) => name !== "help").sort();
}

/** Of commands alone: not of help, of scripts for shells, and of what moves stores of the second version. */
const others = /^(help|completion|migrate)\b/;

describe.each(["3.4", "3.5"] as const)("etcdctl %s has these commands and options, and no others", (version) => {
  const absent = etcdAbsence(version);
  it.skipIf(absent)(`says its help ${absent ?? ""}`, () => {
    const etcdctl = version === "3.4" ? "etcdctl" : join(dirname(etcdBinaryOrThrow(version)), "etcdctl");
    const [, section = ""] = /\nCOMMANDS:\n([\s\S]*?)\n\n/.exec(help(etcdctl, "")) ?? [];
    const commands = [...section.matchAll(/^\t([^\t]+)\t/gm)].map(([, name = ""]) => name);
    const surface = union(surfaces[version]);
    const leaves = Object.keys(surface).filter((name) => name !== "" && name !== "endpoint");
    expect(commands.filter((name) => !others.test(name)).sort()).toEqual(leaves.sort());
    for (const [command, options] of Object.entries(surface)) {
      expect(helpedOptions(help(etcdctl, command)), command).toEqual(options);
    }
  });
});
