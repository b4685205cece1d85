/** @module What a migration says at its end. */
import { asBuffer } from "@conclave/base";
import { quoteBytes } from "../go/quote.ts";
import type { Comparison } from "./comparison.ts";
import type { MissingUsers } from "./missing-users.ts";

/** What was compared, and with what result. */
export interface MigrationReport extends Comparison, MissingUsers {
  /** Id of the cluster that was copied, in hexadecimal. */
  readonly sourceCluster: string;
  /** The revision of the source that was compared. */
  readonly sourceRevision: number;
  /** The revision of the destination that was compared. */
  readonly destinationRevision: number;
  /** Leases of the source. */
  readonly leases: number;
  /** Those of them that the destination has not. */
  readonly missingLeases: readonly bigint[];
}

/** Whether the destination holds all that the source holds, in the same order, and nothing else. */
export function isEqual({ differing, missingLeases, outOfOrder }: MigrationReport): boolean {
  return differing === 0 && missingLeases.length === 0 && outOfOrder === 0;
}

/** A report for people. */
export function formatReport(report: MigrationReport): string {
  const { source, destination, differing, differences, outOfOrder, leases, missingLeases } = report;
  return [
    `source       revision ${report.sourceRevision}, ${source.keys} keys, SHA-256 ${source.hash}`,
    `destination  revision ${report.destinationRevision}, ${destination.keys} keys, SHA-256 ${destination.hash}`,
    `leases       ${leases} at the source, ${missingLeases.length} of them missing at the destination`,
    ...missingLeases.map((id) => `  missing    lease ${id.toString(16)}`),
    ...userLines(report),
    ...differences.map(({ kind, key }) => `  ${kind.padEnd(10)} ${quoteBytes(key)}`),
    ...(differing > differences.length ? [`  and ${differing - differences.length} more`] : []),
    ...(outOfOrder > 0
      ? [`${outOfOrder} keys stand in another order than at the source: begin again with an empty destination`]
      : []),
    isEqual(report) ? "equal" : "NOT equal",
    "",
  ].join("\n");
}

function userLines({ missingUsers, missingRoles }: MigrationReport): readonly string[] {
  if (missingUsers === undefined || missingRoles === undefined) return ["users        not looked at: not permitted"];
  return [
    ...(missingUsers.length > 0 ? [`users        not at the destination: ${missingUsers.join(", ")}`] : []),
    ...(missingRoles.length > 0 ? [`roles        not at the destination: ${missingRoles.join(", ")}`] : []),
  ];
}

/** A report for programs: one line of JSON, keys in base64, ids of leases in hexadecimal. */
export function formatReportJson(report: MigrationReport): string {
  const { differences, missingLeases, ...rest } = report;
  const readable = {
    equal: isEqual(report),
    ...rest,
    differences: differences.map(({ key, kind }) => ({ key: asBuffer(key).toString("base64"), kind })),
    missingLeases: missingLeases.map((id) => id.toString(16)),
  };
  return `${JSON.stringify(readable)}\n`;
}
