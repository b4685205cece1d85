import { del, grant, put, range, type Scenario, scenario } from "../scenario.ts";

const bytes = (length: number): string => "v".repeat(length);

/** Everything about KV.Put and KV.DeleteRange. */
export const putScenarios: readonly Scenario[] = [
  scenario("put makes a key", [put({ key: "a", value: "1" }), range({ key: "a" })]),
  scenario("put again raises the version", [
    put({ key: "a", value: "1" }),
    put({ key: "a", value: "2" }),
    put({ key: "a", value: "2" }),
    range({ key: "a" }),
  ]),
  scenario("put of an empty value", [put({ key: "a" }), range({ key: "a" })]),
  scenario("put of any bytes", [
    put({ key: "\0\x01\xfe\xff", value: "\xff\0\xff" }),
    put({ key: "\0", value: "\0" }),
    put({ key: "\xff", value: "x" }),
    range({ key: "\0", rangeEnd: "\0" }),
  ]),
  scenario("put without a key", [put({ value: "1" }), put({})]),
  scenario("put without a key but with a lease that is not there", [put({ value: "1", lease: 404n })]),
  scenario("put of a long key", [
    put({ key: bytes(10_000), value: "1" }),
    range({ key: bytes(10_000), countOnly: true }),
  ]),
  scenario("put of 1 MiB", [put({ key: "a", value: bytes(1024 * 1024) }), range({ key: "a", keysOnly: true })]),
  scenario("put just below the limit of a request", [put({ key: "a", value: bytes(1.5 * 1024 * 1024 - 100) })]),
  scenario("put above the limit of a request", [
    put({ key: "a", value: bytes(1.5 * 1024 * 1024 + 100) }),
    range({ key: "a" }),
  ]),
  scenario("put of a key above the limit of a request", [put({ key: bytes(1.6 * 1024 * 1024), value: "1" })]),
  scenario(
    "put above the limit of a message",
    [put({ key: "a", value: bytes(3 * 1024 * 1024) }), range({ key: "a" })],
    {
      anyErrorText: true,
    },
  ),

  scenario("put with prev_kv of a new key", [put({ key: "a", value: "1", prevKv: true })]),
  scenario("put with prev_kv", [put({ key: "a", value: "1" }), put({ key: "a", value: "2", prevKv: true })]),
  scenario("put with prev_kv of a deleted key", [
    put({ key: "a", value: "1" }),
    del({ key: "a" }),
    put({ key: "a", value: "2", prevKv: true }),
  ]),
  scenario("put with prev_kv of a leased key", [
    grant({ ID: 7n, TTL: 100 }),
    put({ key: "a", value: "1", lease: 7n }),
    put({ key: "a", value: "2", prevKv: true }),
    range({ key: "a" }),
  ]),

  scenario("put with ignore_value", [
    put({ key: "a", value: "1" }),
    put({ key: "a", ignoreValue: true }),
    range({ key: "a" }),
  ]),
  scenario("put with ignore_value and prev_kv", [
    put({ key: "a", value: "1" }),
    put({ key: "a", ignoreValue: true, prevKv: true }),
  ]),
  scenario("put with ignore_value of a key that is not there", [
    put({ key: "a", ignoreValue: true }),
    range({ key: "a" }),
  ]),
  scenario("put with ignore_value of a deleted key", [
    put({ key: "a", value: "1" }),
    del({ key: "a" }),
    put({ key: "a", ignoreValue: true }),
  ]),
  scenario("put with ignore_value and a value", [
    put({ key: "a", value: "1" }),
    put({ key: "a", value: "2", ignoreValue: true }),
    range({ key: "a" }),
  ]),
  scenario("put with ignore_value attaches a lease", [
    put({ key: "a", value: "1" }),
    grant({ ID: 7n, TTL: 100 }),
    put({ key: "a", lease: 7n, ignoreValue: true }),
    range({ key: "a" }),
  ]),
  scenario("put with ignore_value and a lease that is not there", [
    put({ key: "a", value: "1" }),
    put({ key: "a", lease: 404n, ignoreValue: true }),
    put({ key: "b", lease: 404n, ignoreValue: true }),
  ]),
  scenario("put with ignore_lease", [
    grant({ ID: 7n, TTL: 100 }),
    put({ key: "a", value: "1", lease: 7n }),
    put({ key: "a", value: "2", ignoreLease: true }),
    range({ key: "a" }),
  ]),
  scenario("put with ignore_lease of a key without one", [
    put({ key: "a", value: "1" }),
    put({ key: "a", value: "2", ignoreLease: true }),
    range({ key: "a" }),
  ]),
  scenario("put with ignore_lease of a key that is not there", [put({ key: "a", value: "1", ignoreLease: true })]),
  scenario("put with ignore_lease and a lease", [
    grant({ ID: 7n, TTL: 100 }),
    put({ key: "a", value: "1" }),
    put({ key: "a", value: "2", lease: 7n, ignoreLease: true }),
  ]),
  scenario("put with ignore_value and ignore_lease", [
    grant({ ID: 7n, TTL: 100 }),
    put({ key: "a", value: "1", lease: 7n }),
    put({ key: "a", ignoreValue: true, ignoreLease: true, prevKv: true }),
    range({ key: "a" }),
  ]),
  scenario("put with ignore_value and ignore_lease, both given", [
    put({ key: "a", value: "1" }),
    put({ key: "a", value: "1", lease: 9n, ignoreValue: true, ignoreLease: true }),
  ]),

  scenario("put with a lease that is not there", [put({ key: "a", value: "1", lease: 404n }), range({ key: "a" })]),
  scenario("put with a lease below zero", [put({ key: "a", value: "1", lease: -5n })]),
  scenario("put with the largest lease", [put({ key: "a", value: "1", lease: 2n ** 63n - 1n })]),
  scenario("put with a lease that was revoked by its number", [
    grant({ ID: 7n, TTL: 100 }),
    put({ key: "a", value: "1", lease: 7n }),
    put({ key: "a", value: "2", lease: 8n }),
    range({ key: "a" }),
  ]),

  scenario("delete of one key", [put({ key: "a", value: "1" }), del({ key: "a" }), range({ key: "a" })]),
  scenario("delete of what is not there makes no revision", [del({ key: "a" }), put({ key: "b" })]),
  scenario("delete twice", [put({ key: "a" }), del({ key: "a" }), del({ key: "a" }), put({ key: "b" })]),
  scenario("delete without a key", [put({ key: "a" }), del({}), del({ rangeEnd: "b" }), range({ key: "a" })]),
  scenario("delete with prev_kv", [put({ key: "a", value: "1" }), del({ key: "a", prevKv: true })]),
  scenario("delete with prev_kv of what is not there", [del({ key: "a", prevKv: true })]),
  ...Object.entries({
    "half-open": { key: "a", rangeEnd: "c" },
    "a prefix": { key: "a", rangeEnd: "b" },
    "from a key on": { key: "b", rangeEnd: "\0" },
    everything: { key: "\0", rangeEnd: "\0" },
    "empty as both ends are the same": { key: "a", rangeEnd: "a" },
    "empty as the end comes first": { key: "c", rangeEnd: "a" },
    "of keys that are not there": { key: "x", rangeEnd: "z" },
  }).map(([title, request]) =>
    scenario(`delete of a range, ${title}`, [
      ...["b", "a", "c", "a1", "\xff"].map((key) => put({ key, value: `of ${key}` })),
      del({ ...request, prevKv: true }),
      put({ key: "sentinel" }),
      range({ key: "\0", rangeEnd: "\0" }),
    ]),
  ),
  scenario("delete of a range makes one revision", [
    put({ key: "a" }),
    put({ key: "b" }),
    del({ key: "a", rangeEnd: "c" }),
    put({ key: "a" }),
    range({ key: "a" }),
  ]),
];
