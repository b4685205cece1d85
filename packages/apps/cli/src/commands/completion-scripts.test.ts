import { execFileSync, spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { createProgram } from "../program.ts";
import { completionPlaces, completionScript, type Shell } from "./completion-scripts.ts";

const places = completionPlaces(
  createProgram(
    [],
    () => {},
    async () => {},
  ),
);
const script = (shell: Shell): string => completionScript(shell, places);

/** What bash offers at the end of a command line. */
function offered(line: string): string[] {
  const words = line.split(" ");
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const program = `${script("bash")}
COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _conclavectl; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync("bash", ["-c", program], { encoding: "utf8" })
    .split("\n")
    .filter((word) => word !== "");
}

describe("bash", () => {
  test("completes commands, commands below them, and options", () => {
    expect(offered("conclavectl comp")).toEqual(["compaction", "completion"]);
    expect(offered("conclavectl endpoint h")).toEqual(["hashkv", "health"]);
    expect(offered("conclavectl put --swap")).toEqual(["--swap-with-value", "--swap-with-index"]);
  });

  test("offers the options of all commands everywhere, and passes over what is no command", () => {
    expect(offered("conclavectl endpoint status --endp")).toEqual(["--endpoints"]);
    expect(offered("conclavectl --endpoints localhost:2379 get some-key --pref")).toEqual(["--prefix"]);
  });

  test("offers no hidden option", () => {
    expect(offered("conclavectl get --no-")).toEqual([]);
  });
});

describe.each(["zsh", "fish"] as const)("%s", (shell) => {
  const isInstalled = spawnSync(shell, ["--version"]).error === undefined;
  test.skipIf(!isInstalled)(`takes its script ${isInstalled ? "" : `(${shell} is not installed)`}`, () => {
    const { stderr } = spawnSync(shell, ["-n"], { input: script(shell), encoding: "utf8" });
    expect(stderr).toBe("");
  });
});

test("every command of the program is in every script", () => {
  const names = places.map(({ path }) => path);
  expect(names).toContain("endpoint status");
  for (const shell of ["bash", "zsh", "fish", "powershell"] as const)
    for (const name of names) expect(script(shell)).toContain(name);
});
