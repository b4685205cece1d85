import {
  compact,
  compare,
  del,
  grant,
  opDelete,
  opPut,
  opRange,
  opTxn,
  oursDiffers,
  put,
  type ResultName,
  range,
  rev,
  type Scenario,
  type Step,
  scenario,
  type TargetName,
  txn,
} from "../scenario.ts";

const everything = { key: "\0", rangeEnd: "\0" };
const yes = [opPut({ key: "answer", value: "yes" })];
const no = [opPut({ key: "answer", value: "no" })];

/** Revisions: 1 a, 2 b, 3 a, 4 c (leased), 5 gone, 6 gone deleted. */
const fixture: readonly Step[] = [
  put({ key: "a", value: "1" }),
  put({ key: "b", value: "m" }),
  put({ key: "a", value: "2" }),
  grant({ ID: 7n, TTL: 1000 }),
  put({ key: "c", value: "m", lease: 7n }),
  put({ key: "gone" }),
  del({ key: "gone" }),
];

const results: readonly ResultName[] = ["EQUAL", "GREATER", "LESS", "NOT_EQUAL"];

/** For each target: less than, equal to and greater than what key `a` has (or `c`, for the lease). */
const operands = {
  VERSION: [1, 2, 3],
  CREATE: [rev(0), rev(1), rev(2)],
  MOD: [rev(2), rev(3), rev(4)],
  VALUE: ["1", "2", "3"],
  LEASE: [6n, 7n, 8n],
} as const;

function compareScenarios(): Scenario[] {
  return (Object.keys(operands) as TargetName[]).flatMap((target) =>
    results.map((result) => {
      const key = target === "LEASE" ? "c" : "a";
      const compares = [
        ...operands[target].map((operand) => compare(target, key, result, operand)),
        compare(target, "nothing", result, target === "VALUE" ? "" : 0),
        compare(target, "nothing", result, target === "VALUE" ? "x" : 1),
        compare(target, "gone", result, target === "VALUE" ? "" : 0),
      ];
      return scenario(`txn compares ${target} ${result}`, [
        ...fixture,
        ...compares.map((each) => txn({ compare: [each], success: yes, failure: no })),
      ]);
    }),
  );
}

function rangeCompareScenarios(): Scenario[] {
  return (Object.keys(operands) as TargetName[]).map((target) =>
    scenario(`txn compares ${target} of a range`, [
      ...fixture,
      ...results.flatMap((result) =>
        operands[target].map((operand) =>
          txn({ compare: [compare(target, "a", result, operand, "d")], success: yes, failure: no }),
        ),
      ),
      txn({ compare: [compare(target, "x", "EQUAL", operands[target][0], "z")], success: yes, failure: no }),
      txn({ compare: [compare(target, "x", "NOT_EQUAL", operands[target][0], "z")], success: yes, failure: no }),
    ]),
  );
}

const otherCompares: Scenario[] = [
  scenario("txn without compares succeeds", [txn({ success: yes, failure: no }), range({ key: "answer" })]),
  scenario("txn without operations", [...fixture, txn({}), txn({ compare: [compare("VERSION", "a", "EQUAL", 9)] })]),
  scenario("txn needs all compares", [
    ...fixture,
    txn({
      compare: [compare("VERSION", "a", "EQUAL", 2), compare("VALUE", "b", "EQUAL", "m")],
      success: yes,
      failure: no,
    }),
    txn({
      compare: [compare("VERSION", "a", "EQUAL", 2), compare("VALUE", "b", "EQUAL", "n")],
      success: yes,
      failure: no,
    }),
  ]),
  scenario("txn compares all keys from one on, and everything", [
    ...fixture,
    txn({ compare: [compare("VERSION", "b", "GREATER", 0, "\0")], success: yes, failure: no }),
    txn({ compare: [compare("VERSION", "\0", "EQUAL", 1, "\0")], success: yes, failure: no }),
    txn({ compare: [compare("CREATE", "c", "GREATER", 0, "a")], success: yes, failure: no }),
  ]),
  scenario("txn compares without an operand as with zero", [
    ...fixture,
    ...[0, 1, 2, 3, 4].map((target) =>
      txn({ compare: [{ target: target as 0, key: "nothing" }], success: yes, failure: no }),
    ),
    txn({ compare: [{ target: 3, result: 2, key: "a" }], success: yes, failure: no }),
    txn({ compare: [{ target: 3, result: 1, key: "a" }], success: yes, failure: no }),
  ]),
  scenario("txn ignores the operand of another target", [
    ...fixture,
    txn({
      compare: [{ target: 0, key: "a", targetUnion: { $case: "modRevision", value: 2 } }],
      success: yes,
      failure: no,
    }),
    txn({ compare: [{ target: 4, key: "a", targetUnion: { $case: "version", value: 2 } }], success: yes, failure: no }),
  ]),
  scenario("txn compares with the largest and the smallest number", [
    ...fixture,
    ...(["VERSION", "CREATE", "MOD", "LEASE"] as const).flatMap((target) => [
      txn({ compare: [compare(target, "a", "LESS", 2n ** 63n - 1n)], success: yes, failure: no }),
      txn({ compare: [compare(target, "a", "GREATER", -(2n ** 63n))], success: yes, failure: no }),
      txn({ compare: [compare(target, "a", "LESS", 2n ** 53n + 1n)], success: yes, failure: no }),
    ]),
  ]),
  scenario("txn compares a value with the bytes of another", [
    put({ key: "a", value: "\x80" }),
    txn({ compare: [compare("VALUE", "a", "GREATER", "\x7f")], success: yes, failure: no }),
    txn({ compare: [compare("VALUE", "a", "LESS", "\x80\0")], success: yes, failure: no }),
    txn({ compare: [compare("VALUE", "a", "GREATER", "")], success: yes, failure: no }),
  ]),
  scenario("txn compares with a target and a result that do not exist", [
    ...fixture,
    txn({ compare: [{ target: 9 as 0, key: "a" }], success: yes, failure: no }),
    txn({ compare: [{ result: 9 as 0, key: "a" }], success: yes, failure: no }),
  ]),
  scenario("txn compares the state before itself", [
    ...fixture,
    txn({
      compare: [compare("VERSION", "new", "EQUAL", 0)],
      success: [
        opPut({ key: "new", value: "1" }),
        opTxn({ compare: [compare("VERSION", "new", "EQUAL", 0)], success: yes, failure: no }),
      ],
    }),
    range(everything),
  ]),
];

const operations: Scenario[] = [
  scenario("txn does all kinds of operations in order", [
    ...fixture,
    txn({
      success: [
        opRange(everything),
        opPut({ key: "a", value: "3", prevKv: true }),
        opRange({ key: "a" }),
        opDelete({ key: "b", prevKv: true }),
        opRange({ key: "b" }),
        opPut({ key: "z", value: "new", lease: 7n }),
        opRange({ ...everything, countOnly: true }),
      ],
    }),
    range(everything),
  ]),
  scenario("txn shows earlier operations at the revision it makes", [
    txn({ success: [opPut({ key: "a", value: "1" }), opRange({ key: "a" }), opPut({ key: "b", value: "1" })] }),
    range(everything),
    range({ key: "a", revision: rev(1) }),
  ]),
  scenario("txn of only reads makes no revision", [
    ...fixture,
    txn({ success: [opRange({ key: "a" }), opRange({ key: "b", revision: rev(2) })] }),
    put({ key: "next" }),
  ]),
  scenario("txn that deletes nothing makes no revision", [
    ...fixture,
    txn({ success: [opDelete({ key: "nothing" })] }),
    put({ key: "next" }),
  ]),
  scenario("txn does its failure branch", [
    ...fixture,
    txn({
      compare: [compare("VERSION", "a", "EQUAL", 0)],
      success: [opPut({ key: "a", value: "wrong" })],
      failure: [opRange({ key: "a" }), opDelete({ key: "a" }), opPut({ key: "d", value: "1" })],
    }),
    range(everything),
  ]),
  scenario("txn of reads with every option", [
    ...fixture,
    txn({
      success: [
        opRange({ ...everything, limit: 2 }),
        opRange({ ...everything, sortOrder: 2, sortTarget: 3 }),
        opRange({ ...everything, keysOnly: true }),
        opRange({ ...everything, minModRevision: rev(3) }),
        opRange({ key: "gone", revision: rev(5) }),
        opRange({ key: "nothing" }),
      ],
    }),
  ]),
  scenario("txn deletes a range it has partly written", [
    ...fixture,
    txn({ success: [opDelete({ key: "a", rangeEnd: "c", prevKv: true }), opPut({ key: "d", value: "1" })] }),
    range(everything),
  ]),
  scenario("txn deletes the same key twice", [
    ...fixture,
    txn({ success: [opDelete({ key: "a" }), opDelete({ key: "a", prevKv: true })] }),
    range(everything),
  ]),
  scenario("txn with ignore_value and ignore_lease", [
    ...fixture,
    txn({
      success: [opPut({ key: "a", ignoreValue: true, lease: 7n }), opPut({ key: "c", value: "n", ignoreLease: true })],
    }),
    range(everything),
  ]),
  scenario("txn nested", [
    ...fixture,
    txn({
      success: [
        opPut({ key: "d", value: "1" }),
        opTxn({
          compare: [compare("VERSION", "a", "EQUAL", 2)],
          success: [
            opPut({ key: "e", value: "2" }),
            opTxn({ success: [opPut({ key: "f", value: "3" }), opRange(everything)] }),
          ],
          failure: [opPut({ key: "e", value: "wrong" })],
        }),
        opRange({ key: "e" }),
      ],
    }),
    range(everything),
  ]),
  scenario("txn nested in a failure branch, failing itself", [
    ...fixture,
    txn({
      compare: [compare("VERSION", "a", "EQUAL", 0)],
      failure: [
        opTxn({ compare: [compare("VERSION", "a", "EQUAL", 0)], failure: [opPut({ key: "deep", value: "1" })] }),
      ],
    }),
    range({ key: "deep" }),
  ]),
  scenario("txn with a range of a sort order that does not exist", [
    ...fixture,
    oursDiffers("sort-option", txn({ success: [opRange({ key: "a", sortOrder: 3 as 0 })] })),
  ]),
  scenario("txn nested and empty", [txn({ success: [opTxn({})] }), put({ key: "next" })]),
];

const ops = (count: number): ReturnType<typeof opPut>[] =>
  Array.from({ length: count }, (_, at) => opPut({ key: `k${at}`, value: "1" }));
const compares = (count: number): ReturnType<typeof compare>[] =>
  Array.from({ length: count }, (_, at) => compare("VERSION", `k${at}`, "EQUAL", 0));

/** Transactions that are refused as a whole; each must leave the store as it was. */
const refused: Readonly<Record<string, Parameters<typeof txn>[0]>> = {
  "129 operations": { success: ops(129) },
  "129 operations in the branch that is not taken": { failure: ops(129) },
  "129 compares": { compare: compares(129) },
  "129 operations in a nested txn": { success: [opTxn({ success: ops(129) })] },
  "65 operations and 65 in a nested txn": {
    success: [
      opTxn({ success: ops(65) }),
      ...Array.from({ length: 64 }, (_, at) => opPut({ key: `x${at}`, value: "1" })),
    ],
  },
  "a put without a key": { success: [opPut({ value: "1" })] },
  "a put without a key in the branch that is not taken": { success: ops(1), failure: [opPut({ value: "1" })] },
  "a range without a key": { success: [opRange({})] },
  "a delete without a key": { success: [opDelete({})] },
  "a compare without a key": { compare: [compare("VERSION", "", "EQUAL", 0)], success: ops(1) },
  "a compare without a key in a nested txn": { success: [opTxn({ compare: [compare("MOD", "", "EQUAL", 0)] })] },
  "a put without a key in a nested txn": { success: [opTxn({ success: [opPut({ value: "1" })] })] },
  "an operation of no kind": { success: [{}] },
  "an operation of no kind after a put": { success: [opPut({ key: "k", value: "1" }), {}] },
  "the same key put twice": { success: [opPut({ key: "k", value: "1" }), opPut({ key: "k", value: "2" })] },
  "the same key put twice in the branch that is not taken": {
    failure: [opPut({ key: "k", value: "1" }), opPut({ key: "k", value: "2" })],
  },
  "the same key put and put in a nested txn": {
    success: [opPut({ key: "k", value: "1" }), opTxn({ success: [opPut({ key: "k", value: "2" })] })],
  },
  "the same key put in two nested txns": {
    success: [
      opTxn({ success: [opPut({ key: "k", value: "1" })] }),
      opTxn({ success: [opPut({ key: "k", value: "2" })] }),
    ],
  },
  "the same key put in a nested branch and later": {
    success: [opTxn({ failure: [opPut({ key: "k", value: "1" })] }), opPut({ key: "k", value: "2" })],
  },
  "a key put and deleted": { success: [opPut({ key: "k", value: "1" }), opDelete({ key: "k" })] },
  "a key deleted and put": { success: [opDelete({ key: "k" }), opPut({ key: "k", value: "1" })] },
  "a key put and deleted in a range": {
    success: [opPut({ key: "k", value: "1" }), opDelete({ key: "a", rangeEnd: "z" })],
  },
  "a key deleted in a range and put": {
    success: [opDelete({ key: "a", rangeEnd: "z" }), opPut({ key: "k", value: "1" })],
  },
  "a key deleted from a key on and put": {
    success: [opDelete({ key: "a", rangeEnd: "\0" }), opPut({ key: "k", value: "1" })],
  },
  "a key deleted with everything and put": { success: [opDelete(everything), opPut({ key: "k", value: "1" })] },
  "a key put and deleted in a nested txn": {
    success: [opPut({ key: "k", value: "1" }), opTxn({ success: [opDelete({ key: "a", rangeEnd: "z" })] })],
  },
  "a key deleted in a nested txn and put": {
    success: [opTxn({ success: [opDelete({ key: "a", rangeEnd: "z" })] }), opPut({ key: "k", value: "1" })],
  },
  "a key deleted in one nested txn and put in another": {
    success: [
      opTxn({ success: [opDelete({ key: "a", rangeEnd: "z" })] }),
      opTxn({ success: [opPut({ key: "k", value: "1" })] }),
    ],
  },
  "a value with ignore_value": { success: [opPut({ key: "a", value: "1", ignoreValue: true })] },
  "a lease with ignore_lease": { success: [opPut({ key: "a", value: "1", lease: 7n, ignoreLease: true })] },
  "ignore_value of a key that is not there": {
    success: [opPut({ key: "b", value: "1" }), opPut({ key: "nothing", ignoreValue: true })],
  },
  "ignore_lease of a key that is not there": {
    success: [opPut({ key: "b", value: "1" }), opPut({ key: "nothing", value: "1", ignoreLease: true })],
  },
  "ignore_value of a key put by the same nested txn": {
    success: [opPut({ key: "d", value: "1" }), opTxn({ success: [opPut({ key: "nothing", ignoreValue: true })] })],
  },
  "a lease that is not there": {
    success: [opPut({ key: "a", value: "1" }), opPut({ key: "b", value: "1", lease: 404n })],
  },
  "a lease that is not there in a nested txn": {
    success: [opPut({ key: "a", value: "9" }), opTxn({ success: [opPut({ key: "b", value: "1", lease: 404n })] })],
  },
  "a range of a future revision": {
    success: [opPut({ key: "a", value: "9" }), opRange({ key: "a", revision: rev(100) })],
  },
  "a range of a compacted revision": {
    success: [opPut({ key: "a", value: "9" }), opRange({ key: "a", revision: rev(1) })],
  },
};

/** Transactions at the edge of what is refused. */
const accepted: Readonly<Record<string, Parameters<typeof txn>[0]>> = {
  "128 operations": { success: ops(128) },
  "128 compares": { compare: compares(128), success: ops(1) },
  "128 operations in each branch": { success: ops(128), failure: ops(128) },
  "the same key in both branches": {
    success: [opPut({ key: "k", value: "1" })],
    failure: [opPut({ key: "k", value: "2" })],
  },
  "the same key in both branches of a nested txn": {
    success: [opTxn({ success: [opPut({ key: "k", value: "1" })], failure: [opPut({ key: "k", value: "2" })] })],
  },
  "a key deleted twice": { success: [opDelete({ key: "a" }), opDelete({ key: "a", rangeEnd: "z" })] },
  "a key read and put": { success: [opRange({ key: "k" }), opPut({ key: "k", value: "1" })] },
  "a key put beside a range that is deleted": {
    success: [opDelete({ key: "a", rangeEnd: "c" }), opPut({ key: "c", value: "1" })],
  },
  "a range of the future in the branch that is not taken": {
    success: [opPut({ key: "k", value: "1" })],
    failure: [opRange({ key: "a", revision: rev(100) })],
  },
  "a lease that is not there in the branch that is not taken": {
    success: [opPut({ key: "k", value: "1" })],
    failure: [opPut({ key: "k", value: "1", lease: 404n })],
  },
};

/** Everything about KV.Txn. */
export const txnScenarios: readonly Scenario[] = [
  ...compareScenarios(),
  ...rangeCompareScenarios(),
  ...otherCompares,
  ...operations,
  ...Object.entries(refused).map(([title, request]) =>
    scenario(`txn refused for ${title}`, [...fixture, compact({ revision: rev(2) }), txn(request), range(everything)]),
  ),
  ...Object.entries(accepted).map(([title, request]) =>
    scenario(`txn accepted with ${title}`, [...fixture, txn(request), range({ ...everything, limit: 10 })]),
  ),
];
