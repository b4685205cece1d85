import {
  end,
  grant,
  keepAlive,
  leases,
  openKeepAlive,
  openWatch,
  opPut,
  put,
  range,
  receive,
  ref,
  revoke,
  type Scenario,
  scenario,
  timeToLive,
  txn,
  watch,
} from "../scenario.ts";

const everything = { key: "\0", rangeEnd: "\0" };
const largest = 2n ** 63n - 1n;
const smallest = -(2n ** 63n);
const renewed = receive({ events: 1 }, "k");

const granting: Scenario[] = [
  ...Object.entries({
    "a chosen id": { ID: 7n, TTL: 100 },
    "an id the server chooses": { TTL: 100 },
    "an id below zero": { ID: -7n, TTL: 100 },
    "the largest id": { ID: largest, TTL: 100 },
    "the smallest id": { ID: smallest, TTL: 100 },
    "id 2^53 + 1": { ID: 2n ** 53n + 1n, TTL: 100 },
    "a TTL of 0": { ID: 7n, TTL: 0 },
    "a TTL of 1, raised to the least": { ID: 7n, TTL: 1 },
    "a TTL of 2": { ID: 7n, TTL: 2 },
    "a TTL of 3": { ID: 7n, TTL: 3 },
    "a TTL below zero": { ID: 7n, TTL: -1 },
    "the smallest TTL": { ID: 7n, TTL: smallest },
    "the greatest TTL": { ID: 7n, TTL: 9_000_000_000 },
    "a TTL that is too large": { ID: 7n, TTL: 9_000_000_001 },
    "the largest TTL": { ID: 7n, TTL: largest },
    "a TTL that is too large and an id the server chooses": { TTL: 9_000_000_001 },
  }).map(([title, request]) =>
    scenario(`grant with ${title}`, [
      grant(request, "granted"),
      leases(),
      ...("ID" in request ? [timeToLive({ ID: request.ID })] : []),
    ]),
  ),
  scenario("grant of an id that exists", [
    grant({ ID: 7n, TTL: 100 }),
    grant({ ID: 7n, TTL: 200 }),
    timeToLive({ ID: 7n }),
  ]),
  scenario("grant of an id that was revoked", [
    grant({ ID: 7n, TTL: 100 }),
    revoke({ ID: 7n }),
    grant({ ID: 7n, TTL: 200 }),
    timeToLive({ ID: 7n }),
  ]),
  scenario("grant makes no revision", [grant({ ID: 7n, TTL: 100 }), put({ key: "a" })]),
];

const revoking: Scenario[] = [
  scenario("revoke of a lease without keys makes no revision", [
    grant({ ID: 7n, TTL: 100 }),
    revoke({ ID: 7n }),
    leases(),
    put({ key: "a" }),
  ]),
  scenario("revoke deletes the keys in one revision", [
    grant({ ID: 7n, TTL: 100 }),
    put({ key: "b", lease: 7n }),
    put({ key: "a", lease: 7n }),
    put({ key: "c" }),
    revoke({ ID: 7n }),
    range(everything),
    put({ key: "a" }),
  ]),
  scenario("revoke of a lease that is not there", [
    revoke({ ID: 404n }),
    revoke({}),
    revoke({ ID: -1n }),
    revoke({ ID: largest }),
  ]),
  scenario("revoke twice", [grant({ ID: 7n, TTL: 100 }), revoke({ ID: 7n }), revoke({ ID: 7n })]),
  scenario("revoke of an id the server chose", [
    grant({ TTL: 100 }, "granted"),
    put({ key: "a", lease: ref("granted", "ID") }),
    range({ key: "a" }),
    revoke({ ID: ref("granted", "ID") }),
    range({ key: "a" }),
    leases(),
  ]),
];

const attaching: Scenario[] = [
  scenario("time to live shows the keys", [
    grant({ ID: 7n, TTL: 100 }),
    put({ key: "a", lease: 7n }),
    timeToLive({ ID: 7n }),
    timeToLive({ ID: 7n, keys: true }),
  ]),
  scenario("time to live of many keys", [
    grant({ ID: 7n, TTL: 100 }),
    ...["c", "a", "b"].map((key) => put({ key, lease: 7n })),
    timeToLive({ ID: 7n, keys: true }, "ttl"),
    revoke({ ID: 7n }),
    timeToLive({ ID: 7n, keys: true }),
  ]),
  scenario("time to live of a lease that is not there", [
    timeToLive({ ID: 404n }),
    timeToLive({ ID: 404n, keys: true }),
    timeToLive({}),
    timeToLive({ ID: -1n }),
  ]),
  scenario("put with another lease moves the key", [
    grant({ ID: 7n, TTL: 100 }),
    grant({ ID: 8n, TTL: 100 }),
    put({ key: "a", lease: 7n }),
    put({ key: "a", lease: 8n }),
    timeToLive({ ID: 7n, keys: true }),
    timeToLive({ ID: 8n, keys: true }),
    revoke({ ID: 7n }),
    range({ key: "a" }),
    revoke({ ID: 8n }),
    range({ key: "a" }),
  ]),
  scenario("put without a lease lets go of it", [
    grant({ ID: 7n, TTL: 100 }),
    put({ key: "a", lease: 7n }),
    put({ key: "a" }),
    timeToLive({ ID: 7n, keys: true }),
    revoke({ ID: 7n }),
    range({ key: "a" }),
  ]),
  scenario("put of a key deleted by a revocation", [
    grant({ ID: 7n, TTL: 100 }),
    put({ key: "a", lease: 7n }),
    revoke({ ID: 7n }),
    put({ key: "a", value: "again", prevKv: true }),
    range({ key: "a" }),
  ]),
  scenario("put attached again to the same lease", [
    grant({ ID: 7n, TTL: 100 }),
    put({ key: "a", lease: 7n }),
    put({ key: "a", value: "2", lease: 7n }),
    timeToLive({ ID: 7n, keys: true }),
    revoke({ ID: 7n }),
    range({ key: "a" }),
  ]),
  scenario("txn attaches keys", [
    grant({ ID: 7n, TTL: 100 }),
    txn({ success: [opPut({ key: "a", lease: 7n }), opPut({ key: "b", lease: 7n })] }),
    revoke({ ID: 7n }),
    range(everything),
  ]),
  scenario("leases lists them all", [leases(), grant({ ID: 9n, TTL: 100 }), leases(), revoke({ ID: 9n }), leases()]),
];

const renewing: Scenario[] = [
  scenario("keep-alive renews", [
    grant({ ID: 7n, TTL: 100 }),
    openKeepAlive(),
    keepAlive(7n),
    renewed,
    timeToLive({ ID: 7n }),
  ]),
  scenario("keep-alive answers each request in order", [
    grant({ ID: 7n, TTL: 100 }),
    grant({ ID: 8n, TTL: 200 }),
    openKeepAlive(),
    keepAlive(7n),
    keepAlive(8n),
    keepAlive(7n),
    keepAlive(404n),
    keepAlive(8n),
    receive({ events: 5 }, "k"),
  ]),
  scenario("keep-alive of a lease that is not there", [
    openKeepAlive(),
    keepAlive(404n),
    renewed,
    keepAlive(0n),
    renewed,
    keepAlive(-1n),
    renewed,
  ]),
  scenario("keep-alive of a revoked lease", [
    grant({ ID: 7n, TTL: 100 }),
    openKeepAlive(),
    keepAlive(7n),
    renewed,
    revoke({ ID: 7n }),
    keepAlive(7n),
    renewed,
  ]),
  scenario("keep-alive of an id the server chose", [
    grant({ TTL: 60 }, "granted"),
    openKeepAlive(),
    keepAlive(ref("granted", "ID")),
    renewed,
  ]),
  scenario("keep-alive ends with its requests", [openKeepAlive(), end("k"), receive({ end: true }, "k")]),
];

const expiring: Scenario[] = [
  scenario("expiry deletes the keys in one revision", [
    openWatch(),
    watch({ ...everything, prevKv: true }),
    receive({ controls: 1 }),
    grant({ ID: 7n, TTL: 1 }),
    put({ key: "b", value: "1", lease: 7n }),
    put({ key: "a", value: "2", lease: 7n }),
    put({ key: "stays" }),
    receive({ events: 5 }),
    range(everything),
    timeToLive({ ID: 7n, keys: true }),
    openKeepAlive(),
    keepAlive(7n),
    renewed,
    leases(),
    put({ key: "next", lease: 7n }),
  ]),
  scenario("expiry leaves a key that was put without the lease", [
    openWatch(),
    watch(everything),
    receive({ controls: 1 }),
    grant({ ID: 7n, TTL: 1 }),
    put({ key: "a", lease: 7n }),
    put({ key: "b", lease: 7n }),
    put({ key: "a" }),
    receive({ events: 4 }),
    range(everything),
  ]),
];

/** Everything about the Lease service. */
export const leaseScenarios: readonly Scenario[] = [...granting, ...revoking, ...attaching, ...renewing, ...expiring];
