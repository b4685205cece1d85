import { readFileSync } from "node:fs";
import type { LocalCommandSpec } from "../command.ts";

/** The API level spoken, and the etcdctl that this program stands in for. */
const apiVersion = "3.6";

/** `version`: the version of this program. */
export const versionCommand: LocalCommandSpec = {
  names: ["version"],
  usage: "",
  description: "show the version of this program",
  runLocally({ io }) {
    io.out(`etcdctl version: ${apiVersion}.0\nAPI version: ${apiVersion}\nconclavectl version: ${packageVersion()}\n`);
  },
};

function packageVersion(): string {
  const manifest: { readonly version: string } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  return manifest.version;
}
