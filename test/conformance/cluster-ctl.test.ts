import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { etcdAbsence, type MemberProgram, startCluster } from "@conclave/testkit";
import { describe, expect, it } from "vitest";
import { type ClusterScript, clusterScripts } from "./cluster-ctl-scripts.ts";
import { type ClusterShown, runClusterScript } from "./run-cluster-ctl.ts";

const etcdctl = "etcdctl";
const conclavectl = join(import.meta.dirname, "..", "..", "bin", "conclavectl");
const absent =
  etcdAbsence("3.4") ??
  (spawnSync(etcdctl, ["version"]).status === 0
    ? undefined
    : "etcd-client is not installed: apt-get install etcd-client");
if (absent !== undefined && process.env.CI_REQUIRE_PEERS === "1") throw new Error(absent);

const flags: readonly string[] = ["--heartbeat-interval=50", "--election-timeout=500"];
const etcd: MemberProgram = { kind: "etcd", flags };
const conclave: MemberProgram = { kind: "conclave", flags };

async function show(binary: string, program: MemberProgram, script: ClusterScript): Promise<ClusterShown[]> {
  await using cluster = await startCluster(program);
  return await runClusterScript(binary, cluster, script);
}

const usage = "<how to use the command>";

/** Standard output and exit code; how to use a command is told in words of our own, and on standard error. */
function essence({ command, stdout, exit }: ClusterShown): Pick<ClusterShown, "command" | "stdout" | "exit"> {
  return { command, exit, stdout: exit === 1 && stdout.includes("NAME:") ? [usage] : stdout };
}

describe.skipIf(absent)(`of a cluster of three ${absent ?? ""}`, () => {
  it.each(clusterScripts.map((script) => [script.title, script] as const))("%s", async (_title, script) => {
    const [expected, ofEtcd, byEtcdctl, ofConclave] = await Promise.all([
      show(etcdctl, etcd, script),
      show(conclavectl, etcd, script),
      show(etcdctl, conclave, script),
      show(conclavectl, conclave, script),
    ]);
    expect(ofEtcd.map(essence), "conclavectl of etcd").toEqual(expected.map(essence));
    expect(byEtcdctl, "etcdctl of Conclave").toEqual(expected);
    expect(ofConclave.map(essence), "conclavectl of Conclave").toEqual(expected.map(essence));
  });
});
