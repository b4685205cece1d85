/**
 * @module An empty project into which the tarballs of every public package are installed, as npm does it for a user,
 * but without a registry: what our packages need of others is linked to the copies that this repository has installed
 * by its lock file. So what is held is our own manifests: that the names they depend on are complete, and no version
 * is left that only a workspace understands.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..", "..");

/** What a manifest says. */
export interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly license?: string;
  readonly engines?: { readonly node?: string };
  readonly exports?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** A tarball. */
export interface Tarball {
  readonly name: string;
  readonly filename: string;
  /** The paths in it. */
  readonly paths: readonly string[];
}

/** The project. */
export interface PackedProject extends Disposable {
  readonly directory: string;
  readonly tarballs: readonly Tarball[];
  /** The manifest of an installed package. */
  manifest(name: string): Manifest;
  /** Runs Node there. @throws if it fails, with what it wrote */
  node(...args: readonly string[]): string;
}

/** The binary of another line of Node. */
export function otherNode(line: number): string {
  const directory = join(root, "node_modules", ".cache", "nodes", String(line), "node_modules");
  return join(directory, `node-${process.platform}-${process.arch}`, "bin", "node");
}

/**
 * Why there is no binary of another line of Node, if there is none.
 *
 * @throws Error with the same text if the environment variable `CI_REQUIRE_PEERS` is `1`
 */
export function otherNodeAbsence(line: number): string | undefined {
  if (existsSync(otherNode(line))) return undefined;
  const absent = `Node ${line} is not there: node tools/fetch-nodes.mjs`;
  if (process.env.CI_REQUIRE_PEERS === "1") throw new Error(absent);
  return absent;
}

/** Runs a program and returns its standard output. */
export function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8", maxBuffer: 64 << 20 });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${status} ${error ?? ""}\n${stdout}${stderr}`);
  return stdout;
}

/** Packs every public package and installs them all. */
export function createPackedProject(): PackedProject {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "packed-")));
  const project = join(directory, "project");
  mkdirSync(project);
  const tarballs = pack(directory);
  install(project, tarballs, join(directory, "npm-cache"));
  for (const name of ["consumer.ts", "import-all.mjs"]) cpSync(join(import.meta.dirname, name), join(project, name));
  return {
    directory: project,
    tarballs,
    manifest: (name) => readManifest(join(project, "node_modules", name)),
    node: (...args) => run(process.execPath, args, project),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true }),
  };
}

/** Where a package of this repository is. */
function directoryOf(name: string): string {
  return realpathSync(join(root, "node_modules", name));
}

function readManifest(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as Manifest;
}

function pack(directory: string): readonly Tarball[] {
  const pnpm = ["--yes", "--prefer-offline", "pnpm@12.21.0"];
  const output = run("npx", [...pnpm, "-r", "pack", "--json", "--pack-destination", directory], root);
  const packed = JSON.parse(output) as readonly {
    readonly name: string;
    readonly filename: string;
    readonly files: readonly { readonly path: string }[];
  }[];
  return packed
    .filter(({ name }) => name.startsWith("@conclave/") && readManifest(directoryOf(name)).private !== true)
    .map(({ name, filename, files }) => ({ name, filename, paths: files.map(({ path }) => path) }));
}

/** What our packages need of others, as links to the copies that are installed here. */
function thirdParties(tarballs: readonly Tarball[]): Readonly<Record<string, string>> {
  const links: Record<string, string> = {};
  for (const directory of tarballs.map(({ name }) => directoryOf(name))) {
    const { dependencies, peerDependencies } = readManifest(directory);
    for (const name of Object.keys({ ...dependencies, ...peerDependencies }))
      if (!name.startsWith("@conclave/")) links[name] ??= linkTo(join(directory, "node_modules", name));
  }
  return links;
}

function linkTo(path: string): string {
  return `file:${realpathSync(path)}`;
}

function install(project: string, tarballs: readonly Tarball[], cache: string): void {
  const ours = Object.fromEntries(tarballs.map(({ name, filename }) => [name, `file:${filename}`]));
  const others = thirdParties(tarballs);
  const manifest = {
    name: "consumer",
    private: true,
    type: "module",
    // What the program uses itself; the rest must come with our packages.
    dependencies: { ...ours, "@opentelemetry/api": others["@opentelemetry/api"], zod: others.zod },
    devDependencies: { "@types/node": linkTo(join(root, "node_modules", "@types", "node")) },
    overrides: { ...others, ...ours },
  };
  writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
  // Nothing from a registry, and nothing that an earlier installation has left in a cache.
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts", "--cache", cache], project);
}
