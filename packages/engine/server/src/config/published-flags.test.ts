/** @module Every flag that etcd publishes is honoured, taken with a warning or refused, as docs/configuration.md says. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readCommandLine } from "../command-line.ts";
import { fields, type OptionKey } from "../config.ts";
import { retiredFlags } from "./leftovers.ts";
import { flagNames, optionOfFlag } from "./option-names.ts";

const directory = import.meta.dirname;
const page = readFileSync(join(directory, "..", "..", "..", "..", "..", "docs", "configuration.md"), "utf8");
const lines = readFileSync(join(directory, "testdata", "published-flags.txt"), "utf8").split("\n");

interface PublishedFlag {
  readonly name: string;
  readonly fallback: string;
}

const published: readonly PublishedFlag[] = lines.flatMap((line) => {
  const [, name, fallback = ""] = /^([a-z0-9-]+) =(?: (.*))?$/.exec(line) ?? [];
  return name === undefined ? [] : [{ name, fallback }];
});

/** What the page says of a flag, by the part that it stands in. */
function partOf(name: string): string {
  const part = page.slice(page.indexOf(`<!-- ${name} -->`), page.indexOf(`<!-- /${name} -->`));
  expect(part, name).not.toBe("");
  return part;
}

/** Where Conclave's default is another one, or is written in another way, and how. */
const otherDefaults: Readonly<Record<string, string>> = {
  "data-dir": "NAME.etcd",
  "initial-cluster": "NAME=URLs of --initial-advertise-peer-urls",
  "memory-mlock": "false",
  "backend-batch-interval": "100ms",
  "backend-batch-limit": "10000",
  "max-concurrent-streams": "4294967295",
  "v2-deprecation": "gone",
  "bootstrap-defrag-threshold-megabytes": "0",
  "snapshot-catchup-entries": "5000",
  "downgrade-check-time": "5s",
};

/** Values that are not the defaults, for flags that take no whole number, duration or truth. */
const examples: Readonly<Record<string, string>> = {
  name: "m1",
  "listen-peer-urls": "http://127.0.0.1:1",
  "listen-client-urls": "http://127.0.0.1:1",
  "listen-client-http-urls": "http://127.0.0.1:2",
  "listen-metrics-urls": "http://127.0.0.1:3",
  "initial-advertise-peer-urls": "http://127.0.0.1:1",
  "advertise-client-urls": "http://127.0.0.1:1",
  "initial-cluster": "default=http://localhost:2380",
  "initial-cluster-state": "existing",
  "auto-compaction-mode": "revision",
  "auto-compaction-retention": "1000",
  "discovery-endpoints": "127.0.0.1:1",
  cors: "http://127.0.0.1:1",
  "cipher-suites": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "tls-min-version": "TLS1.3",
  "tls-max-version": "TLS1.3",
  "auth-token": "jwt,pub-key=a,priv-key=b,sign-method=RS256",
  metrics: "extensive",
  "log-level": "warn",
  "log-format": "console",
  "log-outputs": "stdout",
  "log-rotation-config-json": '{"maxsize": 1}',
  "feature-gates": "InitialCorruptCheck=true",
  "v2-deprecation": "not-yet",
  logger: "zap",
  "backend-bbolt-freelist-type": "array",
  "max-concurrent-streams": "100",
  "heartbeat-interval": "90",
  "election-timeout": "2000",
  "bcrypt-cost": "5",
};
/** Flags that are refused without others. */
const companions: Readonly<Record<string, readonly string[]>> = {
  "auto-compaction-retention": ["--auto-compaction-mode=revision"],
  "enable-log-rotation": ["--log-outputs=/var/log/file"],
  "listen-client-urls": ["--advertise-client-urls=http://127.0.0.1:1"],
  "discovery-token": ["--discovery-endpoints=127.0.0.1:1"],
  "discovery-endpoints": ["--discovery-token=t"],
  "tls-max-version": ["--tls-min-version=TLS1.2"],
  "cipher-suites": ["--tls-max-version=TLS1.2"],
};

function exampleOf(name: string, key: OptionKey): string {
  const { fallback, form } = fields[key];
  const given = examples[name];
  if (given !== undefined) return given;
  if (form === "duration") return "7s";
  if (typeof fallback === "boolean") return String(!fallback);
  return typeof fallback === "number" ? String(fallback + 1) : "example";
}

const retired = new Set(retiredFlags);

describe("a flag that etcd publishes", () => {
  test.each(published.filter(({ name }) => !retired.has(name)))(
    "is honoured, or taken with a warning that the page explains, by every name: --$name",
    ({ name, fallback }) => {
      const key = optionOfFlag.get(name);
      if (key === undefined) throw new TypeError(`there is no --${name}`);
      const { unused, fallbackText, form, fallback: own } = fields[key];
      for (const flag of flagNames(key)) {
        const line = readCommandLine([`--${flag}=${exampleOf(name, key)}`, ...(companions[name] ?? [])], {});
        if (line.kind !== "run") throw new TypeError(`--${flag} does not start a member`);
        const told = line.warnings.filter(
          (warning) => warning.includes("without effect") || warning.includes("no effect"),
        );
        expect(told.length > 0, line.warnings.join()).toBe(unused !== undefined);
        if (unused === undefined) expect(line.config[key], flag).not.toEqual(own);
      }
      expect(partOf("flags")).toContain(`| \`--${name}\``);
      expect(partOf("without effect").includes(`| \`--${name}\` |`)).toBe(unused !== undefined);
      const shown = fallbackText ?? (form === "duration" ? `${String(own)}ms` : String(own));
      expect(shown).toBe(otherDefaults[name] ?? fallback);
    },
  );

  test.each(published.filter(({ name }) => retired.has(name)))("is refused with today's way: --$name", ({ name }) => {
    expect(() => readCommandLine([`--${name}=example`], {})).toThrow(`--${name}`);
    expect(partOf("leftovers")).toContain(`| \`--${name}\` |`);
  });

  test("stands in a list that is whole", () => {
    expect(published.length).toBe(113);
  });
});
