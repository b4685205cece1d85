/** @module The alert rules in the documentation ask for nothing that a member does not serve. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "@conclave/client";
import { startMember } from "@conclave/testkit";
import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";

const rulesFile = join(import.meta.dirname, "..", "..", "docs", "monitoring", "conclave.rules.yml");
const guideFile = join(import.meta.dirname, "..", "..", "docs", "monitoring.md");
/** What Prometheus itself adds. */
const labelsOfPrometheus = new Set(["job", "instance"]);
const metricsOfPrometheus = new Set(["up"]);

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly action: string };
}

describe("the alert rules", () => {
  let rules: readonly Rule[];
  beforeAll(async () => {
    const { groups } = parse(await readFile(rulesFile, "utf8"));
    rules = groups.flatMap((group: { readonly rules: readonly Rule[] }) => group.rules);
  });

  test("say how bad it is and what to do, and are all in the guide", async () => {
    const guide = await readFile(guideFile, "utf8");
    for (const { alert, labels, annotations } of rules) {
      expect(["info", "warning", "critical"], alert).toContain(labels.severity);
      expect(annotations.summary, alert).toMatch(/\.$/);
      expect(annotations.action, alert).toMatch(/[.?]$/);
      expect(guide).toContain(`\`${alert}\``);
    }
  });

  test("name metrics and labels that a member serves", async () => {
    await using member = await startMember();
    await using client = await connect({ endpoints: [member.endpoint] });
    await client.put("metric", "1");
    const served = (await (await fetch(`${member.url}/metrics`)).text()).split("\n");
    for (const { alert, expr } of rules) {
      for (const [, name = "", matchers = ""] of expr.matchAll(/([a-z_]+)\{([^}]*)\}/g)) {
        if (metricsOfPrometheus.has(name)) continue;
        const labels = Array.from(matchers.matchAll(/(\w+)=/g), ([, label = ""]) => label);
        const own = labels.filter((label) => !labelsOfPrometheus.has(label));
        const has = (line: string) =>
          new RegExp(`^${name}[ {]`).test(line) && own.every((label) => line.includes(`${label}="`));
        expect(served.some(has), `${alert}: ${name}{${own.join()}}`).toBe(true);
      }
    }
  });
});
