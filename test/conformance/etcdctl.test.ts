import { spawnSync } from "node:child_process";
import { etcdAbsence } from "@conclave/testkit";
import { describe, it } from "vitest";
import { type CtlScript, ctlScripts } from "./ctl-scripts.ts";
import { type CtlShown, runCtlScript } from "./run-ctl.ts";
import { conclave, etcd34 } from "./sides.ts";
import { expectSame, type Side } from "./suite.ts";

/** Debian's etcdctl, without which there is nothing to compare. */
const etcdctl = "etcdctl";
const absent =
  etcdAbsence("3.4") ??
  (spawnSync(etcdctl, ["version"]).status === 0
    ? undefined
    : "etcd-client is not installed: apt-get install etcd-client");
if (absent !== undefined && process.env.CI_REQUIRE_PEERS === "1") throw new Error(absent);

interface CtlSide {
  readonly side: Side;
  readonly binary: string;
}

async function shownBy({ side, binary }: CtlSide, script: CtlScript): Promise<CtlShown[]> {
  await using server = await side.start();
  return await runCtlScript({ binary, endpoint: server.endpoint }, script);
}

/** Registers a test for each script that holds what one program prints of one server against another pair. */
function compareCtl(left: CtlSide, right: CtlSide): void {
  it.each(ctlScripts.map((script) => [script.title, script] as const))("%s", async (_title, script) => {
    const [expected, actual] = await Promise.all([shownBy(left, script), shownBy(right, script)]);
    expectSame({ side: left.side, shown: expected }, { side: right.side, shown: actual });
  });
}

describe.skipIf(absent)(`etcdctl prints of Conclave what it prints of etcd 3.4 ${absent ?? ""}`, () => {
  compareCtl({ side: etcd34, binary: etcdctl }, { side: conclave, binary: etcdctl });
});
