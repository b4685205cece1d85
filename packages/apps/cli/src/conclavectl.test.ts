import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { runConclavectl } from "./conclavectl.ts";

/** Runs a command line that needs no server. */
async function run(args: readonly string[], env: Record<string, string> = {}, input = "") {
  const shown = { out: "", err: "" };
  const exit = await runConclavectl({
    args,
    env,
    stdin: Readable.from(input === "" ? [] : [input]),
    out(text) {
      shown.out += text;
    },
    err(text) {
      shown.err += text;
    },
    interruption: () => new AbortController().signal,
  });
  return { ...shown, exit };
}

describe("conclavectl", () => {
  test("without a command shows the commands", async () => {
    const { out, exit } = await run([]);
    expect(exit).toBe(0);
    for (const name of ["put", "get", "del", "txn", "watch", "lease", "lock", "elect", "endpoint", "member", "alarm"])
      expect(out).toMatch(new RegExp(`^  ${name}\\b`, "m"));
  });

  test.each([["lease"], ["lease", "nosuch"], ["endpoint", "--cluster"]])(
    "%s %s shows the commands below",
    async (...args) => {
      const { out, err, exit } = await run(args);
      expect({ err, exit }).toEqual({ err: "", exit: 0 });
      expect(out).toMatch(/^Usage: conclavectl (lease|endpoint)/);
    },
  );

  test.each([
    [["put", "--help"], /^Usage: conclavectl put \[options\] <key> \[value\]/],
    [["help", "get"], /--print-value-only/],
    [["get", "-h"], /Global Options:[\s\S]*--endpoints/],
  ])("%j shows help", async (args, expected) => {
    const { out, exit } = await run(args);
    expect(exit).toBe(0);
    expect(out).toMatch(expected);
    expect(out).not.toMatch(/--no-/);
  });

  test("version needs no server and no format", async () => {
    expect(await run(["version", "-w", "nosuch", "--endpoints="])).toEqual({
      out: expect.stringMatching(/^etcdctl version: 3\.6\.0\nAPI version: 3\.6\nconclavectl version: \d+\.\d+\.\d+\n$/),
      err: "",
      exit: 0,
    });
  });

  test.each([
    [["nosuch"], 1, 'unknown command "nosuch" for "conclavectl"'],
    [["get", "a", "--nosuch"], 1, "unknown flag: --nosuch"],
    [["help", "nosuch"], 1, "there is no such command to show the help of"],
    [["get", "a", "--count-only"], 128, "--count-only is only for `--write-out=fields`"],
    [["member", "list", "--consistency=x"], 4, 'unknown consistency flag "x"'],
    [["downgrade", "enable"], 128, "TARGET_VERSION not provided"],
    [["downgrade", "validate", "3.5", "3.4"], 128, "too many arguments"],
    [["--nosuch", "get", "a"], 1, "unknown flag: --nosuch"],
    [["get", "a", "-w"], 1, "flag needs an argument: --write-out"],
    [["check", "perf", "--prefix=a", "--load=x"], 4, "unknown load option x"],
    [["--user", "check", "get", "a", "--prefix=maybe"], 1, /^invalid argument "maybe" for "--prefix" flag: /],
    [["put", "a", "b", "--ttl=-1"], 128, "--ttl must be a number of seconds"],
    [["completion", "tcsh"], 128, "completion takes one argument: bash, zsh, fish, powershell"],
    [["doctor", "-w=table"], 4, "doctor writes simple or json"],
    [["make-mirror", "a", "--max-txn-ops=0"], 128, "--max-txn-ops must be at least 1"],
    [["get", "a", "--limit=x"], 1, /^invalid argument "x" for "--limit" flag: /],
    [["get", "a", "--command-timeout=5"], 1, /time: missing unit in duration "5"$/],
    [["--hex=maybe", "get", "a"], 1, /^invalid argument "maybe" for "--hex" flag: /],
    [["put", "a", "b", "-w", "nosuch"], 4, "unsupported output format"],
    [["get", "a", "--endpoints="], 2, "no available endpoints"],
    [["get"], 128, "get command needs one argument as key and an optional argument as range_end"],
    [["get", "a", "--order=up"], 4, "bad sort order up"],
    [["get", "a", "--sort-by=size"], 4, "bad sort target size"],
    [["get", "a", "--consistency=x"], 4, 'unknown consistency flag "x"'],
    [["get", "a", "--print-value-only", "-w", "json"], 128, "print-value-only is only for `--write-out=simple`"],
    [["put", "a"], 128, "put command needs 1 argument and input from stdin or 2 arguments"],
    [["put", "a", "b", "--ignore-value"], 128, "put command needs only 1 argument when 'ignore-value' is set"],
    [["del"], 128, "del command needs one argument as key and an optional argument as range_end"],
    [["compaction", "x"], 1, 'strconv.ParseInt: parsing "x": invalid syntax'],
    [["lease", "grant", "x"], 128, 'bad TTL (strconv.ParseInt: parsing "x": invalid syntax)'],
    [["lease", "revoke", "zz"], 128, /^bad lease ID arg .* expecting ID in Hex$/],
    [["lock"], 128, "lock takes a lock name argument and an optional command to execute"],
    [["elect", "e"], 128, "no proposal argument but -l not set"],
    [["elect", "e", "p", "-l"], 128, "proposal given but -l is set"],
    [["watch"], 128, "bad number of arguments"],
    [["txn", "x"], 128, "txn command does not accept argument"],
    [["txn"], 3, "EOF"],
    [["member", "remove", "xyz"], 128, /^bad member ID arg /],
    [["get", "a", "--cacert=/no/such/file"], 128, "open /no/such/file: no such file or directory"],
    [["get", "a", "--cert=c.pem"], 128, "KeyFile and CertFile must both be present[key: , cert: c.pem]"],
  ])("%j ends with %d", async (args, exit, message) => {
    const { out, err, exit: actual } = await run(args);
    expect({ out, exit: actual }).toEqual({ out: "", exit });
    const [, said = ""] = /^Error: (.*)\n$/s.exec(err) ?? [];
    if (typeof message === "string") expect(said).toBe(message);
    else expect(said).toMatch(message);
  });

  describe("reads its options from the environment", () => {
    test.each(["ETCDCTL", "CONCLAVECTL"])("%s_…", async (prefix) => {
      expect(await run(["get", "a"], { [`${prefix}_WRITE_OUT`]: "nosuch" })).toMatchObject({ exit: 4 });
    });

    test("its own variables before those of etcdctl", async () => {
      const env = { CONCLAVECTL_ENDPOINTS: ",", ETCDCTL_ENDPOINTS: "127.0.0.1:1" };
      expect(await run(["get", "a"], env)).toMatchObject({ exit: 2, err: "Error: no available endpoints\n" });
    });

    test.each([
      ["ETCDCTL_HEX", "perhaps"],
      ["ETCDCTL_COMMAND_TIMEOUT", "soon"],
    ])("and names %s where its value is no good", async (name, value) => {
      const { err, exit } = await run(["get", "a"], { [name]: value });
      expect(exit).toBe(1);
      expect(err).toContain(`environment variable ${name}: `);
      expect(err).toContain(value);
    });

    test("and refuses to guess whether they or the command line count", async () => {
      const { err, exit } = await run(["get", "a", "--endpoints=127.0.0.1:1"], { ETCDCTL_ENDPOINTS: "127.0.0.1:2" });
      expect(exit).toBe(1);
      expect(err).toContain('conflicting environment variable "ETCDCTL_ENDPOINTS"');
    });
  });
});
