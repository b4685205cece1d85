import { spawnSync } from "node:child_process";
import { type EtcdVersion, etcdAbsence, etcdBinaryOrThrow } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { retiredFlags } from "./leftovers.ts";
import { optionOfFlag } from "./option-names.ts";

const known = new Set([...optionOfFlag.keys(), ...retiredFlags, "config-file", "version", "help"]);

/** The flags that an etcd's `--help` names. */
function flagsOf(version: EtcdVersion): string[] {
  const { stdout, stderr } = spawnSync(etcdBinaryOrThrow(version), ["--help"], { encoding: "utf8" });
  return [...`${stdout}${stderr}`.matchAll(/^ +--([a-z0-9-]+)/gm)].map(([, name = ""]) => name);
}

describe("every flag is known", () => {
  for (const version of ["3.4", "3.5"] as const) {
    const absent = etcdAbsence(version);
    test.skipIf(absent)(`of etcd ${version} ${absent ?? ""}`, () => {
      const flags = flagsOf(version);
      expect(flags.length).toBeGreaterThan(70);
      expect(flags.filter((flag) => !known.has(flag))).toEqual([]);
    });
  }

  test("of etcd 3.6 and later, as far as it is new there", () => {
    const discovery = ["token", "endpoints", "dial-timeout", "request-timeout", "keepalive-time", "keepalive-timeout"];
    const secure = ["insecure-transport", "insecure-skip-tls-verify", "cert", "key", "cacert", "user", "password"];
    const tracing = ["enable-distributed-tracing", "distributed-tracing-address", "distributed-tracing-sampling-rate"];
    const named = ["feature-gates", "log-format", "max-learners", "memory-mlock", "downgrade-check-time"];
    const plain = ["corrupt-check-time", "compact-hash-check-time", "compaction-batch-limit", "warning-apply-duration"];
    const more = ["bootstrap-defrag-threshold-megabytes", "snapshot-catchup-entries", "warning-unary-request-duration"];
    const flags = [
      ...[...discovery, ...secure].map((name) => `discovery-${name}`),
      ...tracing,
      ...named,
      ...plain,
      ...more,
    ];
    expect(flags.filter((flag) => !known.has(flag))).toEqual([]);
  });
});
