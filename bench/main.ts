/**
 * @module `pnpm bench`: the same loads on etcd and on Conclave, in turns, and a table of the medians and their ratio.
 */
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compare } from "./compare.ts";
import { h2loadAbsence } from "./h2load.ts";
import type { Load } from "./load.ts";
import { clientLibraryLoads } from "./loads/client-library.ts";
import { latencyLoads } from "./loads/latency.ts";
import { liveSetLoads } from "./loads/live-set.ts";
import { loginLoads } from "./loads/logins.ts";
import { millionLoads } from "./loads/million.ts";
import { streamLoads } from "./loads/streams.ts";
import { unaryLoads } from "./loads/unary.ts";
import { type Row, writeReport } from "./report.ts";
import { absenceOf, type SubjectName } from "./subject.ts";
import { tableHead, tableRow } from "./table.ts";

const loads: readonly Load[] = [
  ...unaryLoads,
  ...latencyLoads,
  ...streamLoads,
  ...clientLibraryLoads,
  ...loginLoads,
  ...liveSetLoads,
  ...millionLoads,
];

const usage = `Usage: pnpm bench [--only LOAD]... [--rounds N] [--subject etcd|conclave]... [--write]
       pnpm bench --profile LOAD

All loads together are written to docs/benchmarks.md, with a chart.

  --only LOAD      run only this load, or all whose name begins so; may be given more than once
  --rounds N       measure each load N times on each server, and print the median (default 5)
  --subject NAME   measure only this server; may be given more than once (default: both)
  --write          write docs/benchmarks.md with the loads that are run
  --profile LOAD   run this load on Conclave alone, once, and leave a CPU profile in bench/profiles

Loads: ${loads.map(({ name }) => name).join(", ")}
`;

interface Settings {
  readonly chosen: readonly Load[];
  readonly rounds: number;
  readonly subjects: readonly SubjectName[];
  readonly isWritten: boolean;
  readonly profileDir?: string;
}

function isSubjectName(name: string): name is SubjectName {
  return name === "etcd" || name === "conclave";
}

/** Reads the command line; a text is what is wrong with it. */
function readSettings(args: readonly string[]): Settings | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", multiple: true },
      profile: { type: "string" },
      write: { type: "boolean", default: false },
      rounds: { type: "string", default: "5" },
      subject: { type: "string", multiple: true, default: ["etcd", "conclave"] },
    },
  });
  const { profile } = values;
  if (profile !== undefined) return profiled(profile);
  const { only = [""] } = values;
  const unknown = only.find((wanted) => !loads.some(({ name }) => name.startsWith(wanted)));
  if (unknown !== undefined) return `No load is called "${unknown}"`;
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    return `--rounds must be a number from 1: current value is "${values.rounds}"`;
  const subjects = values.subject.filter(isSubjectName);
  if (subjects.length < values.subject.length)
    return `--subject must be etcd or conclave: "${values.subject.join(", ")}"`;
  const chosen = loads.filter(({ name }) => only.some((wanted) => name.startsWith(wanted)));
  return { chosen, rounds, subjects, isWritten: values.write || values.only === undefined };
}

/** What is done for a profile of one load. */
function profiled(wanted: string): Settings | string {
  const chosen = loads.filter(({ name }) => name === wanted);
  if (chosen.length === 0) return `No load is called "${wanted}"`;
  const profileDir = join(import.meta.dirname, "profiles", wanted);
  return { chosen, rounds: 1, subjects: ["conclave"], isWritten: false, profileDir };
}

async function main(args: readonly string[]): Promise<number> {
  const settings = readSettings(args);
  if (typeof settings === "string") {
    process.stderr.write(`${settings}\n\n${usage}`);
    return 1;
  }
  const { chosen, rounds, subjects, isWritten } = settings;
  const missing = [h2loadAbsence(), ...subjects.map(absenceOf)].filter((absence) => absence !== undefined);
  if (missing.length > 0) {
    process.stderr.write(`${missing.join("\n")}\n`);
    return 1;
  }
  const load = loadavg()[0]?.toFixed(1);
  process.stdout.write(`Medians of ${rounds} rounds; load average at the start: ${load}\n\n${tableHead()}\n`);
  const rows: Row[] = [];
  for (const each of chosen) {
    const results = await compare(each, settings);
    process.stdout.write(`${tableRow(each, results)}\n`);
    rows.push({ load: each, results });
  }
  if (isWritten) process.stdout.write(`\nWritten: ${(await writeReport(rows, rounds)).join(", ")}\n`);
  if (settings.profileDir !== undefined) process.stdout.write(`\nProfile: ${settings.profileDir}\n`);
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
  process.stderr.write(isUsage ? `${error.message}\n\n${usage}` : `${error instanceof Error ? error.stack : error}\n`);
  process.exitCode = 1;
}
