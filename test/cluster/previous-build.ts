/**
 * @module The server of the commit before, to upgrade from: its sources in a directory of their own, built there. What
 * it depends on is shared with this checkout as long as that has it.
 */
import { execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..", "..");
const commit = "HEAD~1";

/** A build of the server; disposing of it removes it. */
export interface PreviousBuild extends AsyncDisposable {
  /** The server. */
  readonly binary: string;
}

/** Why there is no commit before; undefined if there is one. */
export function previousAbsence(): string | undefined {
  const { status } = spawnSync("git", ["rev-parse", "--quiet", "--verify", `${commit}^{commit}`], { cwd: root });
  return status === 0 ? undefined : "there is no commit before this one here: git fetch --deepen=1";
}

/**
 * Builds the server of the commit before, in seconds where the dependencies are the same.
 *
 * @throws Error with the output of what failed
 */
export async function buildPrevious(): Promise<PreviousBuild> {
  const directory = await mkdtemp(join(tmpdir(), "conclave-before-"));
  const build: PreviousBuild = {
    binary: join(directory, "bin", "conclave"),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
  try {
    await checkOut(directory);
    const packages = await packagesIn(directory);
    if (await shareDependencies(directory, packages)) await compile(directory);
    else await run(process.execPath, [join(directory, "tools", "setup.mjs")]);
    return build;
  } catch (error) {
    await build[Symbol.asyncDispose]();
    throw error;
  }
}

/** Through an index of its own: neither this checkout nor what git knows of it changes. */
async function checkOut(directory: string): Promise<void> {
  const options = { cwd: root, env: { ...process.env, GIT_INDEX_FILE: join(directory, ".index") } };
  await run("git", ["read-tree", commit], options);
  await run("git", ["checkout-index", "--all", `--prefix=${directory}/`], options);
}

/** The directories of the packages, such as `packages/base/base`. */
async function packagesIn(directory: string): Promise<readonly string[]> {
  const files = await readdir(join(directory, "packages"), { recursive: true });
  return files.filter((file) => /(^|[/\\])package\.json$/.test(file)).map((file) => join("packages", dirname(file)));
}

/** Links to what is installed here; false if something is missing. The packages' links to each other stay inside. */
async function shareDependencies(directory: string, packages: readonly string[]): Promise<boolean> {
  for (const path of packages) {
    const { dependencies = {} } = JSON.parse(await readFile(join(directory, path, "package.json"), "utf8"));
    const installed = join(root, path, "node_modules");
    if (!Object.keys(dependencies).every((name) => existsSync(join(installed, name)))) return false;
  }
  await symlink(join(root, "node_modules"), join(directory, "node_modules"), "junction");
  for (const path of packages) {
    const installed = join(root, path, "node_modules");
    if (!existsSync(installed)) continue;
    await cp(installed, join(directory, path, "node_modules"), { recursive: true, verbatimSymlinks: true });
  }
  return true;
}

/** The types were checked when it was committed. */
async function compile(directory: string): Promise<void> {
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  const project = join("packages", "engine", "server", "tsconfig.build.json");
  await run(process.execPath, [compiler, "--build", "--noCheck", project], { cwd: directory });
}
