import { expect, test } from "vitest";
import { describeGlobalFlags, readGlobalFlags } from "./global-flags.ts";
import { createProgram } from "./program.ts";

/** The settings as `--debug` shows them, by name. */
function described(env: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const program = createProgram(
    [],
    () => undefined,
    async () => undefined,
  );
  const lines = describeGlobalFlags(readGlobalFlags(program, env)).trimEnd().split("\n");
  expect(lines).toEqual([...lines].sort());
  return Object.fromEntries(lines.map((line) => line.split("=", 2)));
}

test("describeGlobalFlags() shows what holds, as variables of the environment", () => {
  expect(described({ ETCDCTL_ENDPOINTS: "a:1,b:2", CONCLAVECTL_DIAL_TIMEOUT: "90s" })).toMatchObject({
    ETCDCTL_ENDPOINTS: "[a:1 b:2]",
    ETCDCTL_DIAL_TIMEOUT: "1m30s",
    ETCDCTL_COMMAND_TIMEOUT: "5s",
    ETCDCTL_HEX: "false",
    ETCDCTL_PASSWORD: "",
    ETCDCTL_WRITE_OUT: "simple",
  });
});

test("describeGlobalFlags() shows nothing that is secret", () => {
  const env = { ETCDCTL_USER: "root:one", ETCDCTL_PASSWORD: "two", ETCDCTL_AUTH_JWT_TOKEN: "three" };
  expect(described(env)).toMatchObject({
    ETCDCTL_USER: "root",
    ETCDCTL_PASSWORD: "<hidden>",
    ETCDCTL_AUTH_JWT_TOKEN: "<hidden>",
  });
});
