import type { Load } from "./load.ts";
import { cpuUs, type Subject, type SubjectName, startSubject } from "./subject.ts";

/** What a load gave for one server, over all rounds. */
export interface Result {
  readonly subject: SubjectName;
  /** The median figure, in the load's unit. */
  readonly value: number;
  /** The least and the greatest figure of a round. */
  readonly range: readonly [least: number, greatest: number];
  /** Processor time that an operation cost the server, all members together, in microseconds, median; undefined where it says nothing. */
  readonly cpuUs: number | undefined;
}

/** How a load is run. */
export interface CompareOptions {
  /** The servers; each is measured once a round, in turn. */
  readonly subjects: readonly SubjectName[];
  /** How often. */
  readonly rounds: number;
  /** Where a profile of what Conclave's processors did is left; default: none is made. */
  readonly profileDir?: string;
}

/** The middle of some figures. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

interface Sample {
  readonly value: number;
  readonly cpuUs: number | undefined;
}

async function measure(load: Load, subject: Subject): Promise<Sample> {
  await subject.settle();
  const spentUs = () => subject.pids.reduce((sum, pid) => sum + cpuUs(pid), 0);
  const beforeUs = spentUs();
  const { value, operations } = await load.measure(subject);
  if (operations === undefined) return { value, cpuUs: undefined };
  return { value, cpuUs: (spentUs() - beforeUs) / operations };
}

/** Runs a load on fresh servers, which take turns. */
export async function compare(load: Load, options: CompareOptions): Promise<readonly Result[]> {
  const { subjects: names, rounds, profileDir } = options;
  const subjects: Subject[] = [];
  try {
    for (const name of names) {
      const subject = await startSubject(name, { members: load.members ?? 1, profileDir });
      subjects.push(subject);
      await load.prepare?.(subject);
    }
    return await takeTurns(load, { subjects, rounds });
  } finally {
    await Promise.all(subjects.map((subject) => subject[Symbol.asyncDispose]()));
  }
}

async function takeTurns(
  load: Load,
  { subjects, rounds }: { readonly subjects: readonly Subject[]; readonly rounds: number },
): Promise<readonly Result[]> {
  const samples = new Map<SubjectName, Sample[]>(subjects.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    // Who goes first alternates, so that a machine that slows down or speeds up favours nobody.
    const order = round % 2 === 0 ? subjects : subjects.toReversed();
    for (const subject of order) samples.get(subject.name)?.push(await measure(load, subject));
  }
  return subjects.map(({ name }) => summarize(name, samples.get(name) ?? []));
}

function summarize(subject: SubjectName, samples: readonly Sample[]): Result {
  const values = samples.map(({ value }) => value);
  const cpu = samples.map(({ cpuUs: us }) => us).filter((us) => us !== undefined);
  return {
    subject,
    value: median(values),
    range: [Math.min(...values), Math.max(...values)],
    cpuUs: cpu.length === 0 ? undefined : median(cpu),
  };
}
