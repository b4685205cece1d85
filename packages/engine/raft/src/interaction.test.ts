import { readdirSync, readFileSync } from "node:fs";
import { setVerifying } from "@conclave/base";
import { describe, expect, test } from "vitest";
import { runScript } from "./testing/script.ts";
import { ScriptedCluster } from "./testing/scripted-cluster.ts";

setVerifying(true);

const directory = new URL("./testdata/", import.meta.url);

describe("interaction", () => {
  for (const file of readdirSync(directory)) {
    test(file, async () => {
      const path = new URL(file, directory).pathname;
      const cluster = new ScriptedCluster();
      const text = runScript(readFileSync(path, "utf8"), (command) => cluster.run(command));
      await expect(text).toMatchFileSnapshot(path);
    });
  }
});
