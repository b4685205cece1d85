import { RangeRequest_SortOrder, RangeRequest_SortTarget } from "@conclave/protocol/etcdserverpb";
import { compact, del, grant, oursDiffers, put, range, rev, type Scenario, type Step, scenario } from "../scenario.ts";

type Request = Parameters<typeof range>[0];

/**
 * Nine keys whose orders by key, version, creation, modification and value all differ.
 * Revisions: 1 c, 2 a, 3 b, 4 a, 5 e, 6 c, 7 d, 8 d deleted, 9 a/1, 10 a/2, 11 \0, 12 \xff\0, 13 a, 14 b (leased).
 */
const fixture: readonly Step[] = [
  put({ key: "c", value: "1" }),
  put({ key: "a", value: "9" }),
  put({ key: "b", value: "5" }),
  put({ key: "a", value: "3" }),
  put({ key: "e", value: "" }),
  put({ key: "c", value: "4" }),
  put({ key: "d", value: "gone" }),
  del({ key: "d" }),
  put({ key: "a/1", value: "7" }),
  put({ key: "a/2", value: "\x00\xff" }),
  put({ key: "\0", value: "zero" }),
  put({ key: "\xff\0", value: "last" }),
  put({ key: "a", value: "6" }),
  grant({ TTL: 1000, ID: 77n }),
  put({ key: "b", value: "5", lease: 77n }),
];
const everything = { key: "\0", rangeEnd: "\0" };
const beyond2To53 = 2n ** 63n - 1n;

const selections: Readonly<Record<string, Request>> = {
  "one key": { key: "a" },
  "one key that is not there": { key: "nothing" },
  "one key that was deleted": { key: "d" },
  "one key with an empty value": { key: "e" },
  "one key with a lease": { key: "b" },
  "one key of a zero byte": { key: "\0" },
  "one key that is no text": { key: "\xff\0" },
  "half-open, without its end": { key: "a", rangeEnd: "c" },
  "half-open, empty as both ends are the same": { key: "a", rangeEnd: "a" },
  "half-open, empty as the end comes first": { key: "c", rangeEnd: "a" },
  "half-open, of keys that are not there": { key: "x", rangeEnd: "y" },
  "just one key by its successor": { key: "a", rangeEnd: "a\0" },
  "a prefix": { key: "a/", rangeEnd: "a0" },
  "from a key on": { key: "c", rangeEnd: "\0" },
  "from a key on that is not there": { key: "d", rangeEnd: "\0" },
  "from beyond the last key on": { key: "\xff\xff", rangeEnd: "\0" },
  everything: everything,
  "no key": {},
  "no key but an end": { rangeEnd: "c" },
  "no key but the end of everything": { rangeEnd: "\0" },
  serializable: { ...everything, serializable: true },
  "serializable, no key": { serializable: true },
};

const limits: Readonly<Record<string, Request>> = {
  "0": { limit: 0 },
  "1": { limit: 1 },
  "2": { limit: 2 },
  "one less than there are": { limit: 7 },
  "as many as there are": { limit: 8 },
  "one more than there are": { limit: 9 },
  "the largest number": { limit: beyond2To53 },
  "2^53 + 1": { limit: 2n ** 53n + 1n },
  "-1": { limit: -1 },
  "the smallest number": { limit: -(2n ** 63n) },
  "3 of a prefix": { key: "a/", rangeEnd: "a0", limit: 3 },
  "1 of one key": { key: "a", rangeEnd: "", limit: 1 },
  "3 with keys only": { limit: 3, keysOnly: true },
  "3 with count only": { limit: 3, countOnly: true },
  "3 at an old revision": { limit: 3, revision: rev(4) },
};

const parts: Readonly<Record<string, Request>> = {
  "keys only": { ...everything, keysOnly: true },
  "keys only of one key": { key: "a", keysOnly: true },
  "keys only of a leased key": { key: "b", keysOnly: true },
  "count only": { ...everything, countOnly: true },
  "count only of one key": { key: "a", countOnly: true },
  "count only of a key that is not there": { key: "nothing", countOnly: true },
  "count only of a deleted key": { key: "d", countOnly: true },
  "count only and keys only": { ...everything, countOnly: true, keysOnly: true },
  "count only at an old revision": { ...everything, countOnly: true, revision: rev(3) },
  "count only with a sort order": { ...everything, countOnly: true, sortOrder: 2, sortTarget: 4 },
  "count only with a filter": { ...everything, countOnly: true, minModRevision: rev(9) },
};

const revisions: Readonly<Record<string, Request>> = {
  ...Object.fromEntries(
    Array.from({ length: 15 }, (_, offset) => [`+${offset} of everything`, { ...everything, revision: rev(offset) }]),
  ),
  "0": { key: "a", revision: 0 },
  "-1": { key: "a", revision: -1 },
  "the smallest number": { key: "a", revision: -(2n ** 63n) },
  "one too many": { key: "a", revision: rev(15) },
  "one too many, serializable": { key: "a", revision: rev(15), serializable: true },
  "far in the future": { key: "a", revision: rev(1_000_000) },
  "the largest number": { key: "a", revision: beyond2To53 },
  "2^53 + 1": { key: "a", revision: 2n ** 53n + 1n },
  "before a key was made": { key: "b", revision: rev(2) },
  "of a key that was deleted later": { key: "d", revision: rev(7) },
  "of a key that had been deleted": { key: "d", revision: rev(8) },
};

const filters: Readonly<Record<string, Request>> = {
  "min mod": { minModRevision: rev(6) },
  "max mod": { maxModRevision: rev(6) },
  "min create": { minCreateRevision: rev(5) },
  "max create": { maxCreateRevision: rev(5) },
  "min and max mod": { minModRevision: rev(6), maxModRevision: rev(10) },
  "min and max create": { minCreateRevision: rev(2), maxCreateRevision: rev(9) },
  "one mod": { minModRevision: rev(13), maxModRevision: rev(13) },
  "none as min is above max": { minModRevision: rev(10), maxModRevision: rev(6) },
  "all four": {
    minModRevision: rev(6),
    maxModRevision: rev(13),
    minCreateRevision: rev(1),
    maxCreateRevision: rev(9),
  },
  "min mod in the future": { minModRevision: rev(100) },
  "max mod of the largest number": { maxModRevision: beyond2To53 },
  "min mod of the largest number": { minModRevision: beyond2To53 },
  "max mod of -1": { maxModRevision: -1 },
  "min create of -1": { minCreateRevision: -1 },
  "max create of 1": { maxCreateRevision: 1 },
  "with a limit": { minModRevision: rev(6), limit: 2 },
  "with a limit that more than fills": { minModRevision: rev(10), limit: 100 },
  "with a sort order": { minModRevision: rev(6), sortOrder: 2, sortTarget: 3 },
  "with a sort order and a limit": { minModRevision: rev(6), sortOrder: 2, sortTarget: 3, limit: 2 },
  "at an old revision": { minModRevision: rev(2), revision: rev(4) },
  "with keys only": { maxCreateRevision: rev(3), keysOnly: true },
};

function sorts(): Readonly<Record<string, Request>> {
  const requests: Record<string, Request> = {};
  for (const [orderName, sortOrder] of Object.entries(RangeRequest_SortOrder)) {
    for (const [targetName, sortTarget] of Object.entries(RangeRequest_SortTarget)) {
      requests[`${targetName} ${orderName}`] = { sortOrder, sortTarget };
      requests[`${targetName} ${orderName} with a limit`] = { sortOrder, sortTarget, limit: 3 };
    }
  }
  return {
    ...requests,
    "VALUE DESCEND with keys only": { sortOrder: 2, sortTarget: 4, keysOnly: true },
    "MOD ASCEND at an old revision": { sortOrder: 1, sortTarget: 3, revision: rev(5) },
    "KEY DESCEND of nothing": { key: "x", rangeEnd: "y", sortOrder: 2 },
    "KEY DESCEND of one key": { key: "a", rangeEnd: "", sortOrder: 2 },
  };
}

const withEverything = (requests: Readonly<Record<string, Request>>): Record<string, Request> =>
  Object.fromEntries(Object.entries(requests).map(([title, request]) => [title, { ...everything, ...request }]));

function ofFixture(kind: string, requests: Readonly<Record<string, Request>>): Scenario[] {
  return Object.entries(requests).map(([title, request]) =>
    scenario(`range, ${kind}: ${title}`, [...fixture, range(request)]),
  );
}

const compacted: Scenario[] = [
  scenario("range of a compacted store", [
    ...fixture,
    compact({ revision: rev(8) }),
    range({ ...everything, revision: rev(7) }),
    range({ ...everything, revision: rev(7), serializable: true }),
    range({ ...everything, revision: rev(1) }),
    range({ ...everything, revision: 1 }),
    range({ ...everything, revision: rev(8) }),
    range({ key: "d", revision: rev(8) }),
    range({ ...everything, revision: rev(9) }),
    range({ ...everything, revision: rev(7), countOnly: true }),
    range(everything),
  ]),
  scenario("range with a sort order that does not exist", [
    ...fixture,
    oursDiffers("sort-option", range({ ...everything, sortOrder: 3 as 0 })),
  ]),
  scenario("range of an empty store", [
    range(everything),
    range({ key: "a" }),
    range({ ...everything, countOnly: true }),
    range({ ...everything, limit: 1, sortOrder: 2, sortTarget: 2 }),
  ]),
  scenario("range sees what was put after a deletion as a new key", [
    put({ key: "a", value: "1" }),
    put({ key: "a", value: "2" }),
    del({ key: "a" }),
    put({ key: "a", value: "3" }),
    ...[0, 1, 2, 3, 4].map((offset) => range({ key: "a", revision: rev(offset) })),
  ]),
  scenario("range of many keys, page by page", [
    ...Array.from({ length: 30 }, (_, at) => put({ key: `k${String(at).padStart(2, "0")}`, value: `${at}` })),
    range({ key: "k", rangeEnd: "l", limit: 10 }),
    range({ key: "k09\0", rangeEnd: "l", limit: 10, revision: rev(30) }),
    range({ key: "k19\0", rangeEnd: "l", limit: 10, revision: rev(30) }),
    range({ key: "k29\0", rangeEnd: "l", limit: 10, revision: rev(30) }),
  ]),
];

/** Everything about KV.Range. */
export const rangeScenarios: readonly Scenario[] = [
  ...ofFixture("keys", selections),
  ...ofFixture("limit", withEverything(limits)),
  ...ofFixture("parts", parts),
  ...ofFixture("revision", revisions),
  ...ofFixture("filter", withEverything(filters)),
  ...ofFixture("sort", withEverything(sorts())),
  ...compacted,
];
