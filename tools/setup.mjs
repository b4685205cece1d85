// Sets a fresh clone up, or does nothing where all is up to date: installs by the frozen lock file with the pinned
// pnpm (fetched by npx, so that Node and npm are all a newcomer needs), then builds.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const pnpm = "pnpm@12.21.0";
const root = join(import.meta.dirname, "..");
const stampFile = join(root, "node_modules", ".conclave-setup");

function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (result.status !== 0) {
    console.error(
      `setup: "${command} ${args.join(" ")}" failed (${result.error?.message ?? `status ${result.status}`})`,
    );
    process.exit(1);
  }
}

/** What an install depends on: the lock file follows every manifest. */
function installStamp() {
  const hash = createHash("sha256").update(process.version);
  for (const path of ["pnpm-lock.yaml", "pnpm-workspace.yaml"]) hash.update(readFileSync(join(root, path)));
  return hash.digest("hex");
}

const stamp = installStamp();
if (!existsSync(stampFile) || readFileSync(stampFile, "utf8") !== stamp) {
  run("npx", ["--yes", "--prefer-offline", pnpm, "install", "--frozen-lockfile", "--prefer-offline"]);
  writeFileSync(stampFile, stamp);
}
run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-b", "tsconfig.build.json"]);
