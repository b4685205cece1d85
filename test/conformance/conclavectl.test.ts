import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { etcdAbsence, etcdBinaryOrThrow } from "@conclave/testkit";
import { describe, expect, it } from "vitest";
import { type CtlScript, ctlScripts, ctlScriptsOf35 } from "./ctl-scripts.ts";
import { type CtlShown, runCtlScript } from "./run-ctl.ts";
import { conclave, etcd34, etcd35 } from "./sides.ts";
import type { Side } from "./suite.ts";

const absent = etcdAbsence("3.4");
const root = join(import.meta.dirname, "..", "..");
const conclavectl = join(root, "bin", "conclavectl");
const built = existsSync(join(root, "packages", "apps", "cli", "dist", "index.js"));

const titled = (scripts: readonly CtlScript[]) => scripts.map((script) => [script.title, script] as const);
/** Where the servers differ, only etcd itself shows whether the programs do not. */
const scriptsForEtcd = ["get", "txn", "lease", "endpoint", "member", "alarm, defrag and hash"];

describe.skipIf(absent)(`conclavectl prints what etcdctl prints of etcd 3.4 ${absent ?? ""}`, () => {
  it("is built", () => {
    expect(built, "bin/conclavectl runs the built package: build it first").toBe(true);
  });

  it.each(titled(ctlScripts))("of Conclave: %s", (_title, script) => compare(conclave, script));
  it.each(titled(ctlScripts.filter(({ title }) => scriptsForEtcd.includes(title))))("of etcd: %s", (_title, script) =>
    compare(etcd34, script),
  );
});

const absent35 = etcdAbsence("3.5");

describe.skipIf(absent35)(`conclavectl prints what etcdctl prints of etcd 3.5 ${absent35 ?? ""}`, () => {
  it.each(titled(ctlScriptsOf35))("%s", async (_title, script) => {
    const etcdctl = join(dirname(etcdBinaryOrThrow("3.5")), "etcdctl");
    const expected = await show(etcdctl, etcd35, script);
    for (const side of [etcd35, conclave]) {
      const actual = await show(conclavectl, side, script);
      expect(actual.map(essence), side.name).toEqual(expected.map(essence));
    }
  });
});

async function compare(side: Side, script: CtlScript): Promise<void> {
  const [expected, actual] = await Promise.all([show("etcdctl", etcd34, script), show(conclavectl, side, script)]);
  const comparable = (_shown: CtlShown, step: number) => {
    const of = expected[step];
    return of !== undefined && !panicked(of) && (side === etcd34 || of.differs["3.4"] === undefined);
  };
  expect(actual.filter(comparable).map(essence)).toEqual(expected.filter(comparable).map(essence));
}

async function show(binary: string, side: Side, script: CtlScript): Promise<CtlShown[]> {
  await using server = await side.start();
  return await runCtlScript({ binary, endpoint: server.endpoint, here: binary === conclavectl }, script);
}

/** Whether etcdctl came to its own end: a fault that nobody needs to have again. */
function panicked({ stderr }: CtlShown): boolean {
  return stderr.some((line) => line.startsWith("panic: "));
}

const usage = "<how to use the command>";

/** Standard output and exit code; how to use a command is told in words of our own, and on standard error. */
function essence({ command, stdout, exit }: CtlShown): Pick<CtlShown, "command" | "stdout" | "exit"> {
  return { command, exit, stdout: exit === 1 && ["NAME:", ""].includes(stdout[0] ?? "") ? [usage] : stdout };
}
