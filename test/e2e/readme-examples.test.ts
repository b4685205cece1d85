/** @module Every TypeScript example of the READMEs and of the guides to the SDK, run as it stands against a member of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { freePorts, startMember, type TestMember } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
const root = join(import.meta.dirname, "..", "..");
/** Examples that follow something run until they are stopped; by then they have done what they show. */
const watchMs = 4_000;

interface Example {
  readonly name: string;
  readonly code: string;
}

/** The packages that have a guide of their own in docs/. */
const guided = ["client", "registry", "lock", "election", "config", "pubsub", "recipes"];

/** The examples of the README at the top, of every package's, and of the guides to the packages of the SDK. */
function examples(): readonly Example[] {
  const packages = readdirSync(join(root, "packages"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith("README.md") && !path.includes("node_modules"))
    .map((path) => join(root, "packages", path));
  const guides = guided.map((name) => join(root, "docs", `${name}.md`)).filter((path) => existsSync(path));
  return [join(root, "README.md"), ...packages, ...guides].flatMap((path) => {
    const blocks = [...readFileSync(path, "utf8").matchAll(/```ts\n(.*?)```/gs)];
    return blocks.map(([, code = ""], at) => ({ name: `${relative(root, path)} #${at + 1}`, code }));
  });
}

describe("the examples in the documentation", () => {
  let member: TestMember;
  let directory: string;
  let scripts: string;
  beforeAll(async () => {
    member = await startMember();
    directory = await mkdtemp(join(tmpdir(), "conclave-readme-"));
    scripts = join(root, "node_modules", ".cache", "readme-examples");
    await mkdir(scripts, { recursive: true });
  });
  afterAll(async () => {
    await member[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
    await rm(scripts, { recursive: true });
  });

  test.each(examples().map((example, at) => ({ ...example, at })))(
    "$name",
    { timeout: 60_000 },
    async ({ code, at }) => {
      const script = join(scripts, `example-${at}.mts`);
      await writeFile(script, await placed(code));
      const child = spawn(process.execPath, ["--import", tsx, "--conditions=@conclave/source", script], {
        cwd: directory,
        stdio: ["ignore", "pipe", "pipe"],
      });
      const errors = collect(child);
      const exited = once(child, "exit");
      const status = await Promise.race([exited.then(() => child.exitCode), untilQuiet(child)]);
      child.kill("SIGKILL");
      await exited;
      expect(errors.text).toBe("");
      expect(status ?? 0).toBe(0);
    },
  );

  /** The example on the addresses and directories of this test. */
  async function placed(code: string): Promise<string> {
    const [port] = await freePorts(1);
    const onMember = code.replaceAll(
      "127.0.0.1:2379",
      code.includes("startServer") ? `127.0.0.1:${port}` : member.endpoint,
    );
    return `${onMember.replaceAll("/var/lib", directory)}\nexport {};\n`;
  }
});

function collect(child: ChildProcess): { text: string } {
  const errors = { text: "" };
  child.stderr?.on("data", (data) => {
    errors.text += String(data);
  });
  return errors;
}

/** Resolves with undefined when an example that does not end by itself has had time to show what it does. */
async function untilQuiet(child: ChildProcess): Promise<undefined> {
  if (child.stdout !== null) await Promise.race([once(child.stdout, "data"), sleep(20_000, undefined, { ref: false })]);
  await sleep(watchMs, undefined, { ref: false });
}
