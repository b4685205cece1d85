// Sets a fresh clone up, or does nothing where all is up to date: installs by the frozen lock file with the pinned
// pnpm (fetched by npx, so that Node and npm are all a newcomer needs), then builds. Silent unless it installs or fails.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const pnpm = "pnpm@12.21.0";
const oldestNode = [20, 19];
const root = join(import.meta.dirname, "..");
const stampFile = join(root, "node_modules", ".conclave-setup");
const lockFile = join(root, ".conclave-setup.lock");
const lockPollMs = 100;
/** No set-up takes this long: a lock this old was left behind, whatever process bears its number now. */
const lockStaleMs = 15 * 60_000;

function fail(message) {
  console.error(`setup: ${message}`);
  process.exit(1);
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const [oldestMajor, oldestMinor] = oldestNode;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  fail(`Conclave needs Node ${oldestNode.join(".")} or later; this is ${process.versions.node}.`);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Whether the lock's holder is gone. A lock file that vanishes meanwhile was released: not stale, try again. */
function isLockStale() {
  try {
    if (Date.now() - statSync(lockFile).mtimeMs > lockStaleMs) return true;
    const pid = Number(readFileSync(lockFile, "utf8"));
    return pid > 0 && !isAlive(pid); // Empty: the holder has created it and not written its number yet.
  } catch {
    return false;
  }
}

function removeStaleLock() {
  const grave = `${lockFile}.${process.pid}`;
  try {
    renameSync(lockFile, grave); // Of several waiters one wins; the others find nothing to rename.
    rmSync(grave);
  } catch {
    // Another waiter was first.
  }
}

/** Holds the lock until this process ends, so that two commands started together set up one after the other. */
function takeLock() {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      writeFileSync(lockFile, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") fail(`cannot write in ${root}: ${error.message}`);
    }
    if (isLockStale()) removeStaleLock();
    else Atomics.wait(pause, 0, 0, lockPollMs);
  }
  process.on("exit", () => rmSync(lockFile, { force: true }));
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));
}

/** What an install depends on: the lock file follows every manifest. */
function installStamp() {
  const hash = createHash("sha256").update(process.version);
  for (const path of ["pnpm-lock.yaml", "pnpm-workspace.yaml"]) hash.update(readFileSync(join(root, path)));
  return hash.digest("hex");
}

/** Runs a command without input; its output is shown only if it fails. */
function run(what, command, args) {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    maxBuffer: 64 << 20,
    shell: process.platform === "win32",
  });
  if (result.status === 0) return;
  process.stderr.write(`${result.stdout ?? ""}${result.stderr ?? ""}`);
  const reason = result.error?.message ?? (result.signal ? `ended by ${result.signal}` : `status ${result.status}`);
  fail(`${what} failed (${reason}). The command was: ${command} ${args.join(" ")}`);
}

function install() {
  const stamp = installStamp();
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;
  console.error(`setup: installing the dependencies with ${pnpm}; the first time this takes a minute`);
  rmSync(stampFile, { force: true });
  // By default npx needs 71 s to find out that there is no registry.
  const npxOptions = ["--yes", "--prefer-offline", "--fetch-retry-mintimeout=1000", "--fetch-retry-factor=3"];
  const args = [...npxOptions, pnpm, "install", "--frozen-lockfile", "--prefer-offline"];
  run("installing the dependencies (is the package registry reachable?)", "npx", args);
  writeFileSync(stampFile, stamp);
}

checkNode();
takeLock();
install();
run("the build", process.execPath, [
  join(root, "node_modules", "typescript", "bin", "tsc"),
  "-b",
  "tsconfig.build.json",
]);
