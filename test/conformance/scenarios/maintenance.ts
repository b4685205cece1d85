import {
  alarm as alarmCall,
  compact,
  defragment,
  del,
  differing,
  grant,
  hash,
  hashKv,
  memberList,
  moveLeader,
  opDelete,
  opPut,
  put,
  range,
  raw,
  ref,
  rev,
  revoke,
  type Scenario,
  type Step,
  scenario,
  status,
  txn,
} from "../scenario.ts";

const everything = { key: "\0", rangeEnd: "\0" };
const memberId = ref("status", "header.memberId");

const alarm = (request?: Parameters<typeof alarmCall>[0]): Step => differing("3.4", "alarm-header", alarmCall(request));

/** A history in which every kind of row of the store occurs. */
const history: readonly Step[] = [
  put({ key: "a", value: "1" }),
  put({ key: "b", value: "\0\xff" }),
  put({ key: "a", value: "2" }),
  grant({ ID: 7n, TTL: 1000 }),
  put({ key: "c", value: "leased", lease: 7n }),
  del({ key: "a" }),
  txn({ success: [opPut({ key: "d", value: "1" }), opPut({ key: "a", value: "3" }), opDelete({ key: "b" })] }),
  put({ key: "e" }),
  revoke({ ID: 7n }),
  put({ key: "d", ignoreValue: true }),
];

const hashes: Scenario[] = [
  scenario(
    "hash of the keys, of every revision",
    [
      ...history,
      hashKv(),
      ...Array.from({ length: 11 }, (_, offset) => hashKv({ revision: rev(offset) })),
      hashKv({ revision: rev(100) }),
    ],
    { fresh: true },
  ),
  scenario(
    "hash of the keys after a compaction",
    [
      ...history,
      compact({ revision: rev(6), physical: true }),
      hashKv({ revision: rev(3) }),
      differing("3.4", "hash-at-compaction", hashKv({ revision: rev(6) })),
      hashKv({ revision: rev(7) }),
      hashKv({ revision: rev(9) }),
      hashKv(),
      put({ key: "f" }),
      hashKv(),
    ],
    { fresh: true },
  ),
  ...[2, 3, 4, 5, 6, 7, 8, 9].map((offset) =>
    scenario(
      `hash of the keys after a compaction at +${offset}`,
      [
        ...history,
        compact({ revision: rev(offset), physical: true }),
        hashKv(),
        differing("3.4", "hash-at-compaction", hashKv({ revision: rev(offset) })),
      ],
      { fresh: true },
    ),
  ),
  scenario("hash of the keys at a wrong revision", [
    ...history,
    hashKv({ revision: rev(100) }),
    hashKv({ revision: 2n ** 63n - 1n }),
  ]),
];

const alarms: Scenario[] = [
  scenario("alarms of a healthy cluster", [alarm(), alarm({ alarm: 1 }), alarm({ alarm: 2 })]),
  scenario("alarm NOSPACE raised, seen and cleared", [
    status({}, "status"),
    alarm({ action: 1, memberID: memberId, alarm: 1 }),
    alarm(),
    alarm({ alarm: 1 }),
    alarm({ alarm: 2 }),
    status(),
    alarm({ action: 1, memberID: memberId, alarm: 1 }),
    alarm({ action: 2, memberID: memberId, alarm: 1 }),
    alarm({ action: 2, memberID: memberId, alarm: 1 }),
    alarm(),
  ]),
  scenario("alarm NOSPACE refuses what takes space", [
    put({ key: "a", value: "1" }),
    grant({ ID: 6n, TTL: 100 }),
    status({}, "status"),
    alarm({ action: 1, memberID: memberId, alarm: 1 }),
    put({ key: "a", value: "2" }),
    txn({ success: [opPut({ key: "a", value: "2" })] }),
    txn({ failure: [opPut({ key: "a", value: "2" })] }),
    txn({ success: [opDelete({ key: "a" })] }),
    grant({ ID: 7n, TTL: 100 }),
    range(everything),
    revoke({ ID: 6n }),
    del({ key: "a" }),
    compact({ revision: rev(1) }),
    defragment(),
    alarm({ action: 2, memberID: memberId, alarm: 1 }),
    put({ key: "a", value: "3" }),
    range(everything),
  ]),
  scenario("alarm CORRUPT refuses nearly everything", [
    put({ key: "a", value: "1" }),
    status({}, "status"),
    alarm({ action: 1, memberID: memberId, alarm: 2 }),
    put({ key: "a", value: "2" }),
    range(everything),
    range({ ...everything, serializable: true }),
    del({ key: "a" }),
    txn({}),
    compact({ revision: rev(1) }),
    grant({ ID: 7n, TTL: 100 }),
    status(),
    alarm(),
    alarm({ action: 2, memberID: memberId, alarm: 2 }),
    range(everything),
  ]),
  scenario("alarm of a member that is not there", [
    alarm({ action: 1, memberID: 12n, alarm: 1 }),
    alarm(),
    put({ key: "a" }),
    alarm({ action: 2, memberID: 12n, alarm: 1 }),
    put({ key: "a" }),
  ]),
  scenario("alarm NONE raised", [status({}, "status"), alarm({ action: 1, memberID: memberId }), alarm()]),
];

const members: Scenario[] = [
  scenario("member list", [memberList(), memberList({ linearizable: true })]),
  scenario("move leader to a stranger", [moveLeader({ targetID: 12n }), moveLeader({})]),
];

const keyOf = (hex: string): Uint8Array => Buffer.from(hex, "hex");
const transport: Scenario[] = [
  scenario("status", [put({ key: "a" }), status()]),
  scenario("defragment keeps what is there", [...history, defragment(), range(everything)]),
  scenario("hash of the whole store", [hash()], { fresh: true }),
  ...Object.entries({
    "an unknown method": raw("/etcdserverpb.KV/Nonsense"),
    "an unknown service": raw("/etcdserverpb.Nonsense/Range"),
    "an unknown package": raw("/nonsense.KV/Range"),
    "a path without a method": differing("3.4", "malformed-path", raw("/etcdserverpb.KV")),
    "a field that is cut off": raw("/etcdserverpb.KV/Range", keyOf("0a0561")),
    "a tag of zero": raw("/etcdserverpb.KV/Range", keyOf("00")),
    "the end of a group": raw("/etcdserverpb.KV/Range", keyOf("0c")),
    "a key as a number": raw("/etcdserverpb.KV/Range", keyOf("0801")),
    "a number of eleven bytes": raw("/etcdserverpb.KV/Range", keyOf("0a016118ffffffffffffffffffff01")),
    "a nested message that is cut off": raw("/etcdserverpb.KV/Txn", keyOf("0a051a0261")),
    "a length of 4 GiB": raw("/etcdserverpb.KV/Range", keyOf("0affffffff0f")),
    "an unknown field": raw("/etcdserverpb.KV/Range", keyOf("0a0161f80701")),
    "an unknown field of eight bytes": raw("/etcdserverpb.KV/Range", keyOf("0a0161f9070000000000000000")),
    "an unknown field of bytes": raw("/etcdserverpb.KV/Range", keyOf("0a0161fa070161")),
    "the same field twice": raw("/etcdserverpb.KV/Put", keyOf("0a01610a0162")),
  }).map(([title, step]) => scenario(`a call with ${title}`, [step], { anyErrorText: true })),
];

/** Everything about Maintenance, Cluster and the transport. */
export const maintenanceScenarios: readonly Scenario[] = [...hashes, ...alarms, ...members, ...transport];
