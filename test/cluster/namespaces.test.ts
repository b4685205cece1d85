import { etcdAbsence, namespacesAbsence, startCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import type { ClusterScript } from "../conformance/cluster-ctl-scripts.ts";
import { runClusterScript } from "../conformance/run-cluster-ctl.ts";
import { program } from "./subject.ts";

const absent = namespacesAbsence() ?? etcdAbsence();
const run = (line: string) => ({ kind: "run", line, ready: false }) as const;
const briefly = "--command-timeout=2s --dial-timeout=1s --endpoints=$at(follower-1)";

/** What an operator does first. */
const script: ClusterScript = {
  title: "look, stop the leader, look again, start it again",
  steps: [
    run("endpoint status --cluster -w table"),
    run("member list"),
    run("put key value"),
    { kind: "kill", role: "leader" },
    { kind: "settle" },
    run(`${briefly} endpoint status --cluster -w table`),
    run(`${briefly} endpoint health --cluster`),
    run(`${briefly} member list`),
    run(`${briefly} put key again`),
    { kind: "restart", role: "leader" },
    { kind: "settle" },
    run("get key"),
    run("endpoint status --cluster -w table"),
    run("endpoint health --cluster"),
  ],
};

describe.skipIf(absent)(`three members in namespaces known to each other by host name ${absent ?? ""}`, () => {
  test("show etcdctl what etcd's show", async () => {
    const [expected, actual] = await Promise.all(
      [{ kind: "etcd" } as const, program].map(async (each) => {
        await using cluster = await startCluster({ ...each, network: "namespaces" });
        return await runClusterScript("etcdctl", cluster, script);
      }),
    );
    expect(actual).toEqual(expected);
  });
});
