import { defineConfig } from "vitest/config";

// Tests import the sources themselves: the condition comes first in every package's `exports`.
export default defineConfig({
  ssr: { resolve: { conditions: ["@conclave/source", "module", "node"] } },
  test: {
    projects: [
      { extends: true, test: { name: "unit", include: ["packages/**/src/**/*.test.ts"] } },
      {
        extends: true,
        test: {
          name: "conformance",
          include: ["test/conformance/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      { extends: true, test: { name: "sim", include: ["test/sim/**/*.test.ts"], testTimeout: 120_000 } },
      {
        extends: true,
        test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 60_000 },
      },
    ],
  },
});
