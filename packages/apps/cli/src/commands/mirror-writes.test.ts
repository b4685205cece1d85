import { utf8, utf8Text } from "@conclave/base";
import type { RequestOp } from "@conclave/protocol/etcdserverpb";
import { Event, Event_EventType, KeyValue } from "@conclave/protocol/mvccpb";
import { describe, expect, test } from "vitest";
import { mirrorBatches, mirrorEvent, mirrorKey, mirrorPut } from "./mirror-writes.ts";

const names = { prefix: utf8("from/"), destinationPrefix: utf8("to/") };
const pair = (key: string, value = "v"): KeyValue => KeyValue.fromPartial({ key: utf8(key), value: utf8(value) });
const put = (key: string, value?: string): RequestOp => mirrorPut(pair(key, value), names);

function text({ request }: RequestOp): string {
  if (request?.$case === "requestPut") return `put ${utf8Text(request.value.key)}=${utf8Text(request.value.value)}`;
  return request?.$case === "requestDeleteRange" ? `delete ${utf8Text(request.value.key)}` : "nothing";
}

test("keys get the destination's prefix in the place of the source's", () => {
  expect(utf8Text(mirrorKey(utf8("from/a"), names))).toBe("to/a");
  expect(utf8Text(mirrorKey(utf8("from/a"), { ...names, destinationPrefix: utf8("") }))).toBe("a");
  expect(utf8Text(mirrorKey(utf8("a"), { prefix: utf8(""), destinationPrefix: utf8("to/") }))).toBe("to/a");
});

test("events are done again, without their leases", () => {
  const leased = Event.fromPartial({ type: Event_EventType.PUT, kv: { ...pair("from/a"), lease: 7n } });
  const op = mirrorEvent(leased, names);
  expect(text(op)).toBe("put to/a=v");
  expect(op.request).toMatchObject({ value: { lease: 0n } });
  expect(text(mirrorEvent(Event.fromPartial({ type: Event_EventType.DELETE, kv: pair("from/a") }), names))).toBe(
    "delete to/a",
  );
});

describe("mirrorBatches()", () => {
  const limits = { operations: 3, bytes: 100 };
  const cut = (writes: readonly (readonly [revision: number, op: RequestOp])[]) =>
    [
      ...mirrorBatches(
        writes.map(([revision, op]) => ({ revision, op })),
        limits,
      ),
    ].map((batch) => batch.map(text));

  test("never puts two revisions together", () => {
    expect(
      cut([
        [5, put("from/a")],
        [5, put("from/b")],
        [6, put("from/a")],
      ]),
    ).toEqual([["put to/a=v", "put to/b=v"], ["put to/a=v"]]);
  });

  test("cuts what is too long or too large for one transaction", () => {
    const many = ["a", "b", "c", "d"].map((name) => [5, put(`from/${name}`)] as const);
    expect(cut(many).map(({ length }) => length)).toEqual([3, 1]);
    const large = "x".repeat(120);
    expect(
      cut([
        [5, put("from/a", large)],
        [5, put("from/b")],
      ]).map(({ length }) => length),
    ).toEqual([1, 1]);
  });

  test("makes nothing of nothing", () => {
    expect(cut([])).toEqual([]);
  });
});
