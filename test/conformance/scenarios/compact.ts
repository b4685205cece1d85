import { compact, del, openWatch, put, range, receive, rev, type Scenario, scenario, watch } from "../scenario.ts";

const everything = { key: "\0", rangeEnd: "\0" };
const history = [
  put({ key: "a", value: "1" }),
  put({ key: "b", value: "1" }),
  put({ key: "a", value: "2" }),
  del({ key: "b" }),
  put({ key: "a", value: "3" }),
];

/** Everything about KV.Compact. */
export const compactScenarios: readonly Scenario[] = [
  scenario("compact leaves what is current", [
    ...history,
    compact({ revision: rev(4) }),
    ...[0, 1, 2, 3, 4, 5].map((offset) => range({ ...everything, revision: rev(offset) })),
  ]),
  scenario("compact at the current revision", [
    ...history,
    compact({ revision: rev(5) }),
    range(everything),
    range({ ...everything, revision: rev(4) }),
  ]),
  scenario("compact physically", [...history, compact({ revision: rev(5), physical: true }), range(everything)]),
  scenario("compact at a revision that is compacted", [
    ...history,
    compact({ revision: rev(3) }),
    compact({ revision: rev(3) }),
    compact({ revision: rev(2) }),
    compact({ revision: rev(4) }),
  ]),
  scenario("compact at a future revision", [
    ...history,
    compact({ revision: rev(6) }),
    compact({ revision: rev(999) }),
  ]),
  scenario("compact at a future revision, physically", [...history, compact({ revision: rev(6), physical: true })]),
  scenario("compact at the largest revision", [...history, compact({ revision: 2n ** 63n - 1n })]),
  scenario("compact at 2^53 + 1", [...history, compact({ revision: 2n ** 53n + 1n })]),
  scenario("compact without a revision", [...history, compact({}), range({ ...everything, revision: rev(1) })]),
  scenario("compact at a revision below zero", [
    ...history,
    compact({ revision: -1 }),
    compact({ revision: -(2n ** 63n) }),
    range({ ...everything, revision: rev(1) }),
  ]),
  scenario("compact between deletion and rebirth", [
    put({ key: "a", value: "1" }),
    del({ key: "a" }),
    put({ key: "a", value: "2" }),
    compact({ revision: rev(2) }),
    range({ key: "a", revision: rev(2) }),
    range({ key: "a", revision: rev(3) }),
    put({ key: "a", value: "3", prevKv: true }),
  ]),
  scenario("compact at a revision of many keys", [
    put({ key: "a" }),
    put({ key: "b" }),
    put({ key: "c" }),
    del({ key: "a", rangeEnd: "c" }),
    compact({ revision: rev(4) }),
    range({ ...everything, revision: rev(4) }),
    put({ key: "a" }),
    range(everything),
  ]),
  scenario("compact twice and read between", [
    ...history,
    compact({ revision: rev(2) }),
    range({ ...everything, revision: rev(2) }),
    range({ ...everything, revision: rev(3) }),
    compact({ revision: rev(4) }),
    range({ ...everything, revision: rev(2) }),
    range({ ...everything, revision: rev(4) }),
  ]),
  scenario("compact leaves a watcher that is past it alone", [
    openWatch(),
    watch({ key: "a", rangeEnd: "z" }),
    receive({ controls: 1 }),
    ...history,
    receive({ events: 5 }),
    compact({ revision: rev(5) }),
    put({ key: "c" }),
    receive({ events: 1 }),
  ]),
];
