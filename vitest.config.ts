import { defineConfig } from "vitest/config";
import { CountReporter } from "./tools/count-reporter.ts";

/** The kinds of tests, one after the other: what starts processes never competes with what only computes. */
const projects = [
  { name: "unit", include: ["packages/**/src/**/*.test.ts"], testTimeout: 30_000, maxWorkers: "100%" },
  { name: "traps", include: ["test/traps/*.test.ts"], testTimeout: 120_000, maxWorkers: 2 },
  {
    name: "sim",
    include: ["test/sim/**/*.test.ts", "test/regressions/*.test.ts"],
    testTimeout: 120_000,
    maxWorkers: "100%",
  },
  { name: "conformance", include: ["test/conformance/**/*.test.ts"], testTimeout: 180_000, maxWorkers: 2 },
  {
    name: "e2e",
    include: ["test/e2e/**/*.test.ts", "test/regressions/processes/*.test.ts"],
    testTimeout: 120_000,
    maxWorkers: 1,
  },
  { name: "cluster", include: ["test/cluster/**/*.test.ts"], testTimeout: 120_000, maxWorkers: 1 },
];

// Tests import the sources themselves: the condition comes first in every package's `exports`.
export default defineConfig({
  ssr: { resolve: { conditions: ["@conclave/source", "module", "node"] } },
  test: {
    reporters: ["default", new CountReporter()],
    projects: projects.map((project, groupOrder) => ({
      extends: true,
      test: {
        ...project,
        hookTimeout: 60_000,
        // How long something may take says only that it hangs: a busy machine and its disk are no fault.
        expect: { poll: { timeout: 10_000 } },
        setupFiles: ["./tools/vitest-setup.ts"],
        sequence: { groupOrder },
      },
    })),
  },
});
