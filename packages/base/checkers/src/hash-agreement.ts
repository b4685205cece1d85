/** @module Do all members hold the same? At the same revision, with the same compaction behind them, HashKV is equal. */
import { groupedBy } from "./grouped-by.ts";
import { sameItem } from "./kv-events.ts";
import type { KvItem } from "./kv-operation.ts";
import { itemText } from "./kv-text.ts";
import { Findings, type Verdict } from "./verdict.ts";

/** What {@link checkHashAgreement} can find broken. */
export type HashRule =
  /** Members differ at a revision. */
  | "hash"
  /** A member gave two hashes for one revision and compaction. */
  | "unstable"
  /** A member gave no hash that can be compared with those of the others. */
  | "missing";

/** What a member answered to HashKV. */
export interface HashSample {
  /** Name of the member. */
  readonly member: string;
  /** Revision up to which the hash reaches. */
  readonly revision: number;
  /** Revision of the last compaction it has heard of; -1 or 0 for none. */
  readonly compactRevision: number;
  /** The answer. */
  readonly hash: number;
  /** What the member holds at that revision, to tell how members differ; default not known. */
  readonly items?: readonly KvItem[];
}

/** Options of {@link checkHashAgreement}. */
export interface HashAgreementOptions {
  /** Members that must be in at least one comparison with each other; default: those of the samples. */
  readonly members?: readonly string[];
}

const differencesShown = 5;

/** Checks that members agree: samples of the same revision and compaction must have the same hash. */
export function checkHashAgreement(
  samples: readonly HashSample[],
  options: HashAgreementOptions = {},
): Verdict<HashRule> {
  const findings = new Findings<HashRule>();
  const members = options.members ?? [...new Set(samples.map(({ member }) => member))];
  const groups = [...groupedBy(samples, ({ revision, compactRevision }) => `${revision} ${compactRevision}`).values()];
  for (const group of groups) checkGroup(group, findings);
  checkCoverage(groups, members, findings);
  return findings.verdict();
}

function checkGroup(group: readonly HashSample[], findings: Findings<HashRule>): void {
  const byMember = new Map<string, HashSample>();
  for (const sample of group) {
    findings.checked();
    const before = byMember.get(sample.member);
    if (before !== undefined && before.hash !== sample.hash)
      findings.add(
        "unstable",
        `${placeText(sample)}: ${sample.member} says ${hashText(before)}, then ${hashText(sample)}`,
      );
    byMember.set(sample.member, sample);
  }
  const [first, ...others] = byMember.values();
  const other = others.find(({ hash }) => hash !== first?.hash);
  if (first === undefined || other === undefined) return;
  const said = [...byMember.values()].map((sample) => `${sample.member} says ${hashText(sample)}`).join(", ");
  findings.add("hash", `${placeText(first)}: ${said}${itemDifferencesText(first, other)}`);
}

/** Some revision must have been asked of all. */
function checkCoverage(
  groups: readonly (readonly HashSample[])[],
  members: readonly string[],
  findings: Findings<HashRule>,
): void {
  const heard = groups.map((group) => new Set(group.map(({ member }) => member)));
  if (heard.some((names) => members.every((member) => names.has(member)))) return;
  const fullest = heard.reduce<ReadonlySet<string>>(
    (most, names) => (names.size > most.size ? names : most),
    new Set(),
  );
  const absent = members.filter((member) => !fullest.has(member));
  findings.add("missing", `at no revision has every member given a hash: at best ${absent.join(", ")} did not`);
}

function placeText({ revision, compactRevision }: HashSample): string {
  return `at revision ${revision}, compacted at ${compactRevision}`;
}

function hashText({ hash }: HashSample): string {
  return `0x${hash.toString(16).padStart(8, "0")}`;
}

function itemDifferencesText(left: HashSample, right: HashSample): string {
  if (left.items === undefined || right.items === undefined) return "";
  const differences = itemDifferences(left.items, right.items);
  if (differences.length === 0) return "; their live keys are the same, so that they differ in older revisions";
  const shown = differences
    .slice(0, differencesShown)
    .map(({ mine, other }) => `\n    ${left.member} has ${itemText(mine)}, ${right.member} has ${itemText(other)}`);
  return `; ${differences.length} live keys differ:${shown.join("")}`;
}

interface ItemDifference {
  readonly mine: KvItem | undefined;
  readonly other: KvItem | undefined;
}

function itemDifferences(left: readonly KvItem[], right: readonly KvItem[]): readonly ItemDifference[] {
  const [mine, others] = [left, right].map((items) => new Map(items.map((item) => [item.key, item])));
  const keys = new Set([...(mine?.keys() ?? []), ...(others?.keys() ?? [])]);
  return [...keys]
    .sort()
    .map((key) => ({ mine: mine?.get(key), other: others?.get(key) }))
    .filter((pair) => !sameItem(pair.mine, pair.other));
}
