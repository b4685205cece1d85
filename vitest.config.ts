import { defineConfig } from "vitest/config";
import { CountReporter } from "./tools/count-reporter.ts";

/** The kinds of tests, one after the other: what starts processes never competes with what only computes. */
const projects = [
  { name: "unit", include: ["packages/**/src/**/*.test.ts"], maxWorkers: "100%" },
  {
    name: "sim",
    include: ["test/sim/**/*.test.ts", "test/regressions/*.test.ts"],
    testTimeout: 120_000,
    maxWorkers: "100%",
  },
  { name: "conformance", include: ["test/conformance/**/*.test.ts"], testTimeout: 180_000, maxWorkers: 1 },
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
        setupFiles: ["./tools/vitest-setup.ts"],
        sequence: { groupOrder },
      },
    })),
  },
});
