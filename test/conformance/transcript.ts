/**
 * @module What a server answered, with what may differ between two right servers taken out: ids of clusters and
 * members, terms, sizes and addresses. Revisions count from the start of the scenario, and ids the server chose are
 * numbered in the order in which they are seen.
 */
import { binaryString } from "@conclave/base";
import type { Outcome } from "./grpc-driver.ts";

/** Turns the answers of one server into what is compared. */
export interface Normaliser {
  /** A message or a part of one. */
  normalise(value: unknown): unknown;
  /** The outcome of a call. */
  outcome(outcome: Outcome): unknown;
  /** The answers of a watch stream: by watcher what was said of it and its events, revision by revision. */
  watchAnswers(responses: readonly WatchAnswer[]): unknown;
}

/** What a normaliser must know of the run. */
export interface RunFacts {
  /** Revision the scenario started at. */
  readonly baseRevision: number;
  /** The member that answers. */
  readonly memberId: bigint;
  /** Lease ids the scenario chose itself; all other large ones were chosen by the server. */
  readonly chosenIds: ReadonlySet<bigint>;
  /** Show the texts of errors, not only their codes. */
  readonly errorTexts: boolean;
}

/** As much of a WatchResponse as is looked at. */
export interface WatchAnswer {
  readonly header?: { readonly revision: number } | undefined;
  readonly watchId: bigint;
  readonly fragment: boolean;
  readonly events: readonly { readonly kv?: { readonly modRevision: number } | undefined }[];
}

const revisionFields = new Set(["revision", "createRevision", "modRevision", "compactRevision", "hashRevision", "rev"]);
const leaseFields = new Set(["lease", "ID"]);
const memberFields = new Set(["memberId", "memberID", "leader", "clusterId"]);
/** Fields that only say something about this server at this moment: shown as there or not. */
const volatileFields = new Set([
  "raftTerm",
  "dbSize",
  "dbSizeInUse",
  "raftIndex",
  "raftAppliedIndex",
  "name",
  "peerURLs",
  "clientURLs",
  "token",
]);
/** Lists that come in no order: the keys of a lease. */
const unorderedFields = new Set(["keys"]);
/** Fields that only etcd 3.6 and later know; no server at hand can be the oracle for them. */
const laterFields = new Set(["storageVersion", "dbSizeQuota", "downgradeInfo", "hashRevision"]);

/** Makes a normaliser for one run of one scenario against one server. */
export function createNormaliser(facts: RunFacts): Normaliser {
  const serverIds: bigint[] = [];

  function leaseName(id: bigint): string {
    if (facts.chosenIds.has(id) || (id < 2n ** 40n && id > -(2n ** 40n))) return `${id}`;
    if (!serverIds.includes(id)) serverIds.push(id);
    return `<lease ${serverIds.indexOf(id) + 1}>`;
  }

  /** Keys of locks and elections end with a lease id in hex. */
  function bytesText(bytes: Uint8Array): string {
    return JSON.stringify(binaryString(bytes)).replace(
      /\/([0-9a-f]{12,16})"$/,
      (_, hex: string) => `/${leaseName(BigInt(`0x${hex}`))}"`,
    );
  }

  function scalar(field: string, value: number | bigint | string): unknown {
    // The version of a server is text, the version of a key a number.
    if (volatileFields.has(field) || (field === "version" && typeof value === "string")) return value ? "<set>" : value;
    if (memberFields.has(field)) return memberText(field, BigInt(value));
    if (revisionFields.has(field)) return revisionText(Number(value));
    if (leaseFields.has(field)) return BigInt(value) === facts.memberId ? "<member>" : leaseName(BigInt(value));
    if (typeof value === "string") return value.replaceAll(`${facts.memberId}`, "<member>");
    return typeof value === "bigint" ? `${value}` : value;
  }

  function memberText(field: string, value: bigint): string {
    if (value === 0n) return "0";
    return field === "clusterId" ? "<cluster>" : value === facts.memberId ? "<member>" : "<stranger>";
  }

  function revisionText(value: number): string {
    if (value <= 0) return `${value}`;
    return value >= facts.baseRevision ? `+${value - facts.baseRevision}` : "<before>";
  }

  function normaliseField(field: string, value: unknown): unknown {
    if (value === undefined || value === null) return undefined;
    if (value instanceof Uint8Array) return bytesText(value);
    if (Array.isArray(value)) return listOf(field, value);
    if (typeof value === "object") return normalise(value);
    if (typeof value === "boolean") return value;
    return scalar(field, value as number | bigint | string);
  }

  function listOf(field: string, values: readonly unknown[]): unknown[] {
    if (volatileFields.has(field)) return values.map(() => "<set>");
    const shown = values.map((each) => normaliseField(field, each));
    return unorderedFields.has(field) ? shown.sort() : shown;
  }

  function normalise(value: unknown): unknown {
    const message = withoutStoreHash(withoutTimeLeft(value as Record<string, unknown>));
    const fields = Object.entries(message).filter(([field]) => !laterFields.has(field));
    return Object.fromEntries(fields.map(([field, each]) => [field, normaliseField(field, each)]));
  }

  return {
    normalise,
    outcome(outcome) {
      if (outcome.kind === "reply") return normalise(outcome.message);
      const { status, text } = outcome;
      return facts.errorTexts ? { status, text } : { status };
    },
    watchAnswers: (responses) => groupByWatcher(responses, normalise),
  };
}

/** Between two calls a moment passes: what is left of a lease is forgiven two seconds. */
function withoutTimeLeft(message: Record<string, unknown>): Record<string, unknown> {
  const { TTL, grantedTTL } = message;
  if (typeof TTL !== "number" || typeof grantedTTL !== "number" || TTL <= 0) return message;
  return { ...message, TTL: grantedTTL - TTL <= 2 ? "<just renewed>" : TTL };
}

/** The checksum of the whole store covers what is a server's own; the one of the keys comes with a revision. */
function withoutStoreHash(message: Record<string, unknown>): Record<string, unknown> {
  return "hash" in message && !("compactRevision" in message) ? { ...message, hash: "<set>" } : message;
}

function groupByWatcher(responses: readonly WatchAnswer[], normalise: (value: unknown) => unknown): unknown {
  const ids = [...new Set(responses.map(({ watchId }) => watchId))].sort((a, b) => Number(a - b));
  return ids.map((id) => {
    const mine = responses.filter(({ watchId }) => watchId === id);
    const withEvents = mine.filter(({ events }) => events.length > 0);
    return {
      watchId: `${id}`,
      controls: mine.filter(({ events }) => events.length === 0).map(normalise),
      events: withEvents.flatMap(({ events }) => events).map(normalise),
      // How many revisions share one answer is the server's choice; what no server may do is listed here.
      broken: withEvents.flatMap((response, at) => faultsOf(response, withEvents[at + 1])),
      fragments: withEvents.some(({ fragment }) => fragment),
    };
  });
}

const lastRevision = ({ events }: WatchAnswer): number => events.at(-1)?.kv?.modRevision ?? 0;

function faultsOf(response: WatchAnswer, next: WatchAnswer | undefined): string[] {
  const faults: string[] = [];
  if ((response.header?.revision ?? 0) < lastRevision(response)) faults.push("header is behind the events");
  const torn = next !== undefined && next.events[0]?.kv?.modRevision === lastRevision(response);
  if (torn && !response.fragment) faults.push("one revision in two answers");
  if (next === undefined && response.fragment) faults.push("the last fragment is missing");
  return faults;
}
