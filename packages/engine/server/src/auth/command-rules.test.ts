import { AuthError } from "@conclave/auth";
import { utf8 } from "@conclave/base";
import {
  AlarmRequest_AlarmAction as AlarmAction,
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "@conclave/protocol/etcdserverpb";
import { describe, expect, test } from "vitest";
import { authLab } from "../testing/auth-lab.ts";
import { authoriseEntry, authoriseRequest, type RuledCommand } from "./command-rules.ts";

const lab = authLab();

/** What becomes of a command of a user: `ok`, or the code of the refusal. */
function verdict(rule: typeof authoriseEntry, command: RuledCommand, username: string): string {
  try {
    rule(lab, command, lab.caller(username));
    return "ok";
  } catch (error) {
    if (error instanceof AuthError) return error.code;
    throw error;
  }
}

const put = (key: string, more: Partial<PutRequest> = {}) => PutRequest.fromPartial({ key: utf8(key), ...more });
const range = (key: string, rangeEnd = "") => RangeRequest.fromPartial({ key: utf8(key), rangeEnd: utf8(rangeEnd) });
const erase = (key: string, rangeEnd = "", prevKv = false) =>
  DeleteRangeRequest.fromPartial({ key: utf8(key), rangeEnd: utf8(rangeEnd), prevKv });
const compare = (key: string, rangeEnd = "") => Compare.fromPartial({ key: utf8(key), rangeEnd: utf8(rangeEnd) });
const doPut = (request: PutRequest) => RequestOp.fromPartial({ request: { $case: "requestPut", value: request } });
const doRange = (request: RangeRequest) =>
  RequestOp.fromPartial({ request: { $case: "requestRange", value: request } });
const doErase = (request: DeleteRangeRequest) =>
  RequestOp.fromPartial({ request: { $case: "requestDeleteRange", value: request } });
const doTxn = (request: TxnRequest) => RequestOp.fromPartial({ request: { $case: "requestTxn", value: request } });
const txn = (parts: Partial<TxnRequest>) => TxnRequest.fromPartial(parts);
/** An operation below several transactions, in the branches that are taken seldom. */
const nested = (operation: RequestOp, depth: number): TxnRequest =>
  txn({ failure: [depth === 0 ? operation : doTxn(nested(operation, depth - 1))] });

describe("what a user with permissions may", () => {
  const denied = "PERMISSION_DENIED";
  const commands: readonly (readonly [title: string, command: RuledCommand, verdict: string])[] = [
    ["put within", { kind: "put", request: put("c") }, "ok"],
    ["put beside", { kind: "put", request: put("d") }, denied],
    ["put what he may only read", { kind: "put", request: put("r") }, denied],
    ["put what he may only write", { kind: "put", request: put("w") }, "ok"],
    [
      "put what he may only write, and see what was there",
      { kind: "put", request: put("w", { prevKv: true }) },
      denied,
    ],
    ["put with a lease of his keys", { kind: "put", request: put("c", { lease: 1n }) }, "ok"],
    ["put with a lease of others' keys", { kind: "put", request: put("c", { lease: 2n }) }, denied],
    ["put with a lease without keys", { kind: "put", request: put("c", { lease: 3n }) }, "ok"],
    ["put with a lease that there is not", { kind: "put", request: put("c", { lease: 404n }) }, "ok"],
    ["delete within", { kind: "deleteRange", request: erase("b", "d") }, "ok"],
    ["delete one key too many", { kind: "deleteRange", request: erase("b", "d\0") }, denied],
    ["delete from a key on", { kind: "deleteRange", request: erase("c", "\0") }, denied],
    ["delete what he may only write", { kind: "deleteRange", request: erase("w") }, "ok"],
    ["delete what he may only write, and see it", { kind: "deleteRange", request: erase("w", "", true) }, denied],
    ["an empty transaction", { kind: "txn", request: txn({}) }, "ok"],
    ["compare what he may read", { kind: "txn", request: txn({ compare: [compare("r")] }) }, "ok"],
    ["compare what he may not", { kind: "txn", request: txn({ compare: [compare("w")] }) }, denied],
    ["compare a range that reaches beyond", { kind: "txn", request: txn({ compare: [compare("b", "e")] }) }, denied],
    ["read in a transaction", { kind: "txn", request: txn({ success: [doRange(range("b", "d"))] }) }, "ok"],
    ["read too much in a transaction", { kind: "txn", request: txn({ failure: [doRange(range("b", "e"))] }) }, denied],
    ["put in the branch that is not taken", { kind: "txn", request: txn({ failure: [doPut(put("x"))] }) }, denied],
    [
      "one good and one bad",
      { kind: "txn", request: txn({ success: [doPut(put("c")), doErase(erase("x"))] }) },
      denied,
    ],
    ["a good one far below", { kind: "txn", request: nested(doPut(put("c")), 5) }, "ok"],
    ["a bad one far below", { kind: "txn", request: nested(doPut(put("x")), 5) }, denied],
    ["a bad lease far below", { kind: "txn", request: nested(doPut(put("c", { lease: 2n })), 5) }, denied],
    ["nothing in an operation", { kind: "txn", request: txn({ success: [{ request: undefined }] }) }, "ok"],
    ["revoke a lease of his keys", { kind: "leaseRevoke", request: { ID: 1n } }, "ok"],
    ["revoke a lease of others' keys", { kind: "leaseRevoke", request: { ID: 2n } }, denied],
    ["revoke a lease without keys", { kind: "leaseRevoke", request: { ID: 3n } }, "ok"],
    ["look at himself", { kind: "authUserGet", request: { name: "ann" } }, "ok"],
    ["look at another", { kind: "authUserGet", request: { name: "eve" } }, denied],
    ["look at his role", { kind: "authRoleGet", request: { role: "part" } }, "ok"],
    ["look at another role", { kind: "authRoleGet", request: { role: "root" } }, denied],
    ["look at a role that there is not", { kind: "authRoleGet", request: { role: "none" } }, denied],
    ["list users", { kind: "authUserList", request: {} }, denied],
    ["list roles", { kind: "authRoleList", request: {} }, denied],
    ["ask whether authentication is on", { kind: "authStatus", request: {} }, denied],
    ["turn authentication off", { kind: "authDisable", request: {} }, denied],
    ["delete himself", { kind: "authUserDelete", request: { name: "ann" } }, denied],
    ["give himself a role", { kind: "authUserGrantRole", request: { user: "ann", role: "root" } }, denied],
  ];

  test.each(commands)("%s", (_title, command, expected) => {
    expect(verdict(authoriseRequest, command, "ann")).toBe(expected);
    expect(verdict(authoriseEntry, command, "ann")).toBe(expected);
    for (const rule of [authoriseRequest, authoriseEntry]) {
      expect(verdict(rule, command, "root")).toBe("ok");
      expect(verdict(rule, command, "eve"), "with the role of root").toBe("ok");
    }
  });

  test.each(commands.filter(([, , expected]) => expected === denied))("nobody may not %s either", (_title, command) => {
    expect(verdict(authoriseRequest, command, "")).toBe("USER_EMPTY");
    expect(verdict(authoriseRequest, command, "bob")).toBe(denied);
    expect(verdict(authoriseRequest, command, "absent")).toBe(denied);
  });
});

describe("what is asked of a request, but not of an entry, as members of etcd do not", () => {
  const grant: RuledCommand = { kind: "leaseGrant", request: { ID: 9n, TTL: 60n } };
  const compaction: RuledCommand = { kind: "compaction", request: { revision: 1n, physical: false } };
  const alarm = (action: AlarmAction): RuledCommand => ({ kind: "alarm", request: { action, memberID: 0n, alarm: 1 } });
  test.each([
    ["a lease", grant, ["USER_EMPTY", "ok", "ok"]],
    ["a compaction", compaction, ["USER_EMPTY", "PERMISSION_DENIED", "ok"]],
    ["a look at alarms", alarm(AlarmAction.GET), ["USER_EMPTY", "ok", "ok"]],
    ["an alarm", alarm(AlarmAction.ACTIVATE), ["USER_EMPTY", "PERMISSION_DENIED", "ok"]],
    ["an end of alarms", alarm(AlarmAction.DEACTIVATE), ["USER_EMPTY", "PERMISSION_DENIED", "ok"]],
  ] as const)("%s: of nobody, a user, root", (_title, command, expected) => {
    expect(["", "bob", "root"].map((name) => verdict(authoriseRequest, command, name))).toEqual(expected);
    expect(["", "bob", "root"].map((name) => verdict(authoriseEntry, command, name))).toEqual(["ok", "ok", "ok"]);
  });
});

test("keys are refused to who was known at an earlier revision, the same as to who is denied", () => {
  const own = authLab();
  const before = own.caller("ann");
  const command: RuledCommand = { kind: "put", request: put("c") };
  expect(() => authoriseEntry(own, command, before)).not.toThrow();
  own.addUser("new");
  expect(() => authoriseEntry(own, command, before)).toThrow(expect.objectContaining({ code: "OLD_REVISION" }));
  expect(() => authoriseEntry(own, command, own.caller("ann"))).not.toThrow();
  expect(() => authoriseEntry(own, command, { ...own.caller("root"), authRevision: 1 })).toThrow(
    expect.objectContaining({ code: "OLD_REVISION" }),
  );
});

test("while authentication is off nobody is asked", () => {
  const own = authLab();
  own.auth.apply({ kind: "authDisable", request: {} });
  for (const command of [
    { kind: "put", request: put("secret") },
    { kind: "authUserList", request: {} },
    { kind: "leaseRevoke", request: { ID: 2n } },
  ] as const satisfies readonly RuledCommand[])
    expect(() => authoriseRequest(own, command, own.caller(""))).not.toThrow();
});
