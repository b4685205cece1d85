import {
  type Awaited,
  cancelWatch,
  compact,
  del,
  differing,
  end,
  grant,
  opDelete,
  openWatch,
  opPut,
  opRange,
  put,
  receive,
  requestProgress,
  rev,
  revoke,
  type Scenario,
  type Step,
  scenario,
  txn,
  watch,
} from "../scenario.ts";

const everything = { key: "\0", rangeEnd: "\0" };
const created = receive({ controls: 1 });

/** Opens a stream with one watcher and waits until it is there. */
const watching = (create: Parameters<typeof watch>[0]): Step[] => [openWatch(), watch(create), created];
const events = (count: number, more: Awaited = {}): Step => receive({ events: count, ...more });

/** Revisions: 1 a, 2 b, 3 a, 4 a deleted, 5 a, 6 b and c, 7 b deleted. */
const history: readonly Step[] = [
  put({ key: "a", value: "1" }),
  put({ key: "b", value: "1" }),
  put({ key: "a", value: "2" }),
  del({ key: "a" }),
  put({ key: "a", value: "3" }),
  txn({ success: [opPut({ key: "b", value: "2" }), opPut({ key: "c", value: "1" })] }),
  del({ key: "b" }),
];
/** An event every watcher of everything sees last. */
const sentinel = put({ key: "sentinel" });

const live: Scenario[] = [
  scenario("watch a key", [
    ...watching({ key: "a" }),
    put({ key: "a", value: "1" }),
    put({ key: "b" }),
    put({ key: "a", value: "2" }),
    events(2),
  ]),
  scenario("watch a deletion", [
    ...watching({ key: "a" }),
    put({ key: "a", value: "1" }),
    del({ key: "a" }),
    put({ key: "a" }),
    events(3),
  ]),
  scenario("watch a deletion of what is not there", [
    ...watching({ key: "a" }),
    del({ key: "a" }),
    put({ key: "a" }),
    events(1),
  ]),
  scenario("watch a prefix", [
    ...watching({ key: "a", rangeEnd: "b" }),
    ...["a", "b", "a1", "A", "a\xff"].map((key) => put({ key })),
    events(3),
  ]),
  scenario("watch from a key on", [
    ...watching({ key: "b", rangeEnd: "\0" }),
    ...["a", "b", "z"].map((key) => put({ key })),
    events(2),
  ]),
  scenario("watch everything", [...watching(everything), ...["a", "\0", "\xff"].map((key) => put({ key })), events(3)]),
  scenario("watch without a key watches everything if it has an end", [
    ...watching({ rangeEnd: "\0" }),
    ...["a", "z"].map((key) => put({ key })),
    events(2),
  ]),
  scenario("watch without a key and an end", [...watching({}), put({ key: "a" })]),
  scenario("watch a txn: its events come together", [
    ...watching(everything),
    txn({ success: [opPut({ key: "b", value: "1" }), opPut({ key: "a", value: "1" }), opRange({ key: "a" })] }),
    events(2),
    txn({ success: [opPut({ key: "c", value: "1" }), opDelete({ key: "a", rangeEnd: "c" })] }),
    events(3),
  ]),
  scenario("watch the deletion of a range: its events come together", [
    put({ key: "a" }),
    put({ key: "b" }),
    put({ key: "c" }),
    ...watching({ key: "a", rangeEnd: "c" }),
    del({ key: "\0", rangeEnd: "\0" }),
    events(2),
  ]),
  scenario("watch a put with a lease and its revocation", [
    ...watching(everything),
    grant({ ID: 7n, TTL: 100 }),
    put({ key: "b", lease: 7n }),
    put({ key: "a", lease: 7n }),
    revoke({ ID: 7n }),
    sentinel,
    events(5),
  ]),
  scenario("watch with prev_kv", [
    ...watching({ ...everything, prevKv: true }),
    put({ key: "a", value: "1" }),
    put({ key: "a", value: "2" }),
    del({ key: "a" }),
    put({ key: "a", value: "3" }),
    events(4),
  ]),
  scenario("watch without puts", [
    ...watching({ ...everything, filters: [0] }),
    put({ key: "a" }),
    del({ key: "a" }),
    put({ key: "b" }),
    del({ key: "b" }),
    events(2),
  ]),
  scenario("watch without deletions", [
    ...watching({ ...everything, filters: [1] }),
    put({ key: "a" }),
    del({ key: "a" }),
    put({ key: "b" }),
    events(2),
  ]),
  scenario("watch with both filters sees nothing", [
    ...watching({ ...everything, filters: [0, 1] }),
    put({ key: "a" }),
    del({ key: "a" }),
    cancelWatch(0),
    receive({ controls: 1 }),
  ]),
  scenario("watch with a filter and a txn of both kinds", [
    put({ key: "a" }),
    ...watching({ ...everything, filters: [1] }),
    txn({ success: [opDelete({ key: "a" }), opPut({ key: "b" })] }),
    sentinel,
    events(2),
  ]),
];

const past: Scenario[] = [
  ...[1, 2, 3, 4, 5, 6, 7].map((offset) =>
    scenario(`watch from the past, +${offset}`, [
      ...history,
      ...watching({ ...everything, startRevision: rev(offset) }),
      sentinel,
      // 9 events are in the history; the txn at +6 has two.
      events(offset <= 6 ? 10 - offset : 2),
    ]),
  ),
  scenario("watch one key from the past", [...history, ...watching({ key: "a", startRevision: rev(1) }), events(4)]),
  scenario("watch from the past with prev_kv", [
    ...history,
    ...watching({ ...everything, startRevision: rev(2), prevKv: true }),
    events(7),
  ]),
  scenario("watch from the past without puts", [
    ...history,
    ...watching({ ...everything, startRevision: rev(1), filters: [0] }),
    events(2),
  ]),
  scenario("watch from the past without deletions", [
    ...history,
    ...watching({ ...everything, startRevision: rev(1), filters: [1] }),
    sentinel,
    events(7),
  ]),
  scenario("watch from the past goes on with the present", [
    ...history,
    ...watching({ key: "a", startRevision: rev(3) }),
    put({ key: "a", value: "4" }),
    put({ key: "a", value: "5" }),
    events(5),
  ]),
  scenario("watch from the next revision", [
    ...history,
    ...watching({ ...everything, startRevision: rev(8) }),
    sentinel,
    events(1),
  ]),
  scenario("watch from a future revision", [
    ...watching({ key: "a", startRevision: rev(3) }),
    put({ key: "a", value: "1" }),
    put({ key: "a", value: "2" }),
    put({ key: "a", value: "3" }),
    put({ key: "a", value: "4" }),
    events(2),
  ]),
  scenario("watch from the largest revision", [
    ...watching({ key: "a", startRevision: 2n ** 63n - 1n }),
    put({ key: "a" }),
    cancelWatch(0),
    receive({ controls: 1 }),
  ]),
  scenario("watch from revision -1", [
    openWatch(),
    watch({ key: "a", startRevision: -1 }),
    differing("3.4", "watch-negative-revision", receive({ controls: 1 })),
  ]),
  scenario("watch a long history", [
    ...Array.from({ length: 60 }, (_, at) => put({ key: `k${at % 7}`, value: `${at}` })),
    ...watching({ key: "k", rangeEnd: "l", startRevision: rev(1) }),
    events(60),
  ]),
];

const compacted: Scenario[] = [
  scenario("watch from a compacted revision", [
    ...history,
    compact({ revision: rev(5) }),
    openWatch(),
    watch({ ...everything, startRevision: rev(2) }),
    receive({ controls: 2 }),
  ]),
  scenario("watch from a compacted revision leaves other watchers alone", [
    ...history,
    compact({ revision: rev(5) }),
    openWatch(),
    watch({ ...everything, startRevision: rev(7) }),
    receive({ controls: 1, events: 1 }),
    watch({ ...everything, startRevision: rev(1) }),
    receive({ controls: 2 }),
    sentinel,
    events(1),
  ]),
  scenario("watch from revision 1 of a compacted store", [
    ...history,
    compact({ revision: rev(5) }),
    openWatch(),
    watch({ key: "a", startRevision: 1 }),
    receive({ controls: 2 }),
  ]),
  scenario("watch from the compacted revision itself", [
    ...history,
    compact({ revision: rev(5) }),
    ...watching({ ...everything, startRevision: rev(5) }),
    events(4),
  ]),
  scenario("watch from above the compacted revision", [
    ...history,
    compact({ revision: rev(5) }),
    ...watching({ ...everything, startRevision: rev(6) }),
    events(3),
  ]),
  scenario("watch with prev_kv that is compacted", [
    ...history,
    compact({ revision: rev(5) }),
    ...watching({ ...everything, startRevision: rev(5), prevKv: true }),
    events(4),
  ]),
];

const streams: Scenario[] = [
  scenario("watchers of one stream are numbered from 0", [
    openWatch(),
    watch({ key: "a" }),
    created,
    watch({ key: "b" }),
    created,
    watch({ key: "a" }),
    created,
    put({ key: "a" }),
    events(2),
    put({ key: "b" }),
    events(1),
  ]),
  scenario("watch with a chosen id", [
    openWatch(),
    watch({ key: "a", watchId: 42 }),
    created,
    put({ key: "a" }),
    events(1),
    cancelWatch(42),
    receive({ controls: 1 }),
  ]),
  scenario("watch with a chosen id that is taken", [
    openWatch(),
    watch({ key: "a", watchId: 5 }),
    created,
    watch({ key: "b", watchId: 5 }),
    created,
    put({ key: "a" }),
    events(1),
  ]),
  scenario("watch without an id skips chosen ones", [
    openWatch(),
    watch({ key: "a", watchId: 1 }),
    created,
    watch({ key: "a" }),
    created,
    watch({ key: "a" }),
    created,
    watch({ key: "a" }),
    created,
    put({ key: "a" }),
    events(4),
  ]),
  scenario("watch with an id that was set free", [
    openWatch(),
    watch({ key: "a", watchId: 9 }),
    created,
    cancelWatch(9),
    created,
    watch({ key: "b", watchId: 9 }),
    created,
    put({ key: "b" }),
    events(1),
  ]),
  scenario("watch with an id below zero", [
    openWatch(),
    watch({ key: "a", watchId: -7 }),
    created,
    put({ key: "a" }),
    events(1),
  ]),
  scenario("watch with the largest id", [
    openWatch(),
    watch({ key: "a", watchId: 2n ** 63n - 1n }),
    created,
    put({ key: "a" }),
    events(1),
  ]),
  scenario("watch with an id of 2^53 + 1", [
    openWatch(),
    watch({ key: "a", watchId: 2n ** 53n + 1n }),
    created,
    put({ key: "a" }),
    events(1),
  ]),
  scenario("cancel of a watcher", [
    ...watching({ key: "a" }),
    watch({ key: "a", watchId: 3 }),
    created,
    cancelWatch(0),
    receive({ controls: 1 }),
    put({ key: "a" }),
    events(1),
  ]),
  scenario("cancel of a watcher that is not there says nothing", [
    ...watching({ key: "a" }),
    cancelWatch(77),
    put({ key: "a" }),
    events(1),
  ]),
  scenario("cancel of a watcher twice", [
    ...watching({ key: "a" }),
    cancelWatch(0),
    cancelWatch(0),
    watch({ key: "b", watchId: 8 }),
    receive({ controls: 2 }),
  ]),
  scenario("end of the requests leaves the watchers", [
    ...watching({ key: "a" }),
    end("w"),
    put({ key: "a" }),
    events(1),
  ]),
  scenario("streams do not see each other", [
    openWatch("one"),
    openWatch("two"),
    watch({ key: "a" }, "one"),
    receive({ controls: 1 }, "one"),
    watch({ key: "a" }, "two"),
    receive({ controls: 1 }, "two"),
    cancelWatch(0, "one"),
    receive({ controls: 1 }, "one"),
    put({ key: "a" }),
    receive({ events: 1 }, "two"),
  ]),
  scenario("twenty watchers of one stream", [
    openWatch(),
    ...Array.from({ length: 20 }, (_, at) => watch({ key: `k${at % 4}` })),
    receive({ controls: 20 }),
    ...Array.from({ length: 4 }, (_, at) => put({ key: `k${at}`, value: `${at}` })),
    events(20),
  ]),
];

const big = "v".repeat(600 * 1024);
const progress: Scenario[] = [
  scenario("progress of a stream with a watcher that is up to date", [
    put({ key: "b" }),
    ...watching({ key: "a" }),
    requestProgress(),
    receive({ controls: 1 }),
    put({ key: "b" }),
    put({ key: "a" }),
    events(1),
    requestProgress(),
    receive({ controls: 1 }),
  ]),
  scenario("progress twice", [
    ...watching({ key: "a" }),
    requestProgress(),
    receive({ controls: 1 }),
    requestProgress(),
    receive({ controls: 1 }),
  ]),
  scenario("watch with progress_notify", [
    ...watching({ key: "a", progressNotify: true }),
    put({ key: "a" }),
    events(1),
  ]),
  scenario("watch a large history in fragments", [
    put({ key: "a", value: big }),
    put({ key: "b", value: big }),
    put({ key: "c", value: big }),
    ...watching({ ...everything, startRevision: rev(1), fragment: true }),
    events(3),
  ]),
  scenario("watch a large history in one piece", [
    put({ key: "a", value: big }),
    put({ key: "b", value: big }),
    put({ key: "c", value: big }),
    ...watching({ ...everything, startRevision: rev(1) }),
    events(3),
  ]),
  scenario("watch a large revision in fragments", [
    put({ key: "a", value: big }),
    put({ key: "b", value: big }),
    put({ key: "c", value: big }),
    ...watching({ ...everything, fragment: true, prevKv: true }),
    del(everything),
    events(3),
  ]),
  scenario("watch a small revision with fragments allowed", [
    ...watching({ ...everything, fragment: true }),
    txn({ success: [opPut({ key: "a" }), opPut({ key: "b" })] }),
    events(2),
  ]),
];

/** Everything about the Watch service. */
export const watchScenarios: readonly Scenario[] = [...live, ...past, ...compacted, ...streams, ...progress];
