import type { RequestOp, TxnRequest } from "@conclave/protocol/etcdserverpb";
import { describe, expect, it } from "vitest";
import { checkDeleteRange, checkPut, checkRange, checkTxn } from "./request-checks.ts";
import { compare, del, op, openEnd, put, range, txn } from "./testing/requests.ts";

/** The code of the error that a check throws, or "ok". */
function verdict(check: () => void): unknown {
  try {
    check();
    return "ok";
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error;
  }
}

const txnVerdict = (parts: Partial<TxnRequest>, maxTxnOps = 128) => verdict(() => checkTxn(txn(parts), maxTxnOps));
const nested = (...success: RequestOp[]) => op.txn({ success });
const version = { $case: "version", value: 0n } as const;

describe("checkRange()", () => {
  it("wants a key, even with a range end", () => {
    expect(verdict(() => checkRange(range("")))).toBe("EmptyKey");
    expect(verdict(() => checkRange(range("", "b")))).toBe("EmptyKey");
    expect(verdict(() => checkRange(range("a", "b")))).toBe("ok");
  });

  it.each([{ sortOrder: 3 }, { sortOrder: -1 }, { sortTarget: 5 }, { sortTarget: -1 }])("refuses %o", (option) => {
    expect(verdict(() => checkRange({ ...range("a"), ...(option as object) }))).toBe("InvalidSortOption");
  });
});

describe("checkPut()", () => {
  it("wants a key", () => {
    expect(verdict(() => checkPut(put("")))).toBe("EmptyKey");
  });

  it("refuses a value or a lease beside the wish to keep the old one", () => {
    expect(verdict(() => checkPut(put("a", "x", { ignoreValue: true })))).toBe("ValueProvided");
    expect(verdict(() => checkPut(put("a", "x", { ignoreLease: true, lease: 1n })))).toBe("LeaseProvided");
    expect(verdict(() => checkPut(put("a", "", { ignoreValue: true, ignoreLease: true })))).toBe("ok");
    expect(verdict(() => checkPut(put("a", "", { ignoreValue: true, lease: 5n })))).toBe("ok");
  });
});

describe("checkDeleteRange()", () => {
  it("wants a key", () => {
    expect(verdict(() => checkDeleteRange(del("", "z")))).toBe("EmptyKey");
    expect(verdict(() => checkDeleteRange(del("a")))).toBe("ok");
  });
});

describe("checkTxn()", () => {
  it("checks every compare and operation, in both branches and nested", () => {
    expect(txnVerdict({ compare: [compare("", "=", version)] })).toBe("EmptyKey");
    expect(txnVerdict({ failure: [nested(op.put(""))] })).toBe("EmptyKey");
    expect(txnVerdict({ success: [op.put("a", "x", { ignoreValue: true })] })).toBe("ValueProvided");
    expect(txnVerdict({ success: [{ request: undefined }] })).toBe("KeyNotFound");
    expect(txnVerdict({})).toBe("ok");
  });

  describe("counts operations", () => {
    const gets = (count: number) => Array.from({ length: count }, (_, n) => op.range(`k${n}`));
    const compares = (count: number) => Array.from({ length: count }, (_, n) => compare(`k${n}`, "=", version));

    it.each([
      ["128 in a branch", { success: gets(128), failure: gets(128), compare: compares(128) }, "ok"],
      ["129 if it succeeds", { success: gets(129) }, "TooManyOps"],
      ["129 if it fails", { failure: gets(129) }, "TooManyOps"],
      ["129 compares", { compare: compares(129) }, "TooManyOps"],
      ["127 within one", { success: [nested(...gets(127))] }, "ok"],
      ["128 within one", { success: [nested(...gets(128))] }, "TooManyOps"],
      ["28 within the last of 100", { success: [...gets(99), nested(...gets(28))] }, "ok"],
      ["29 within the last of 100", { success: [...gets(99), nested(...gets(29))] }, "TooManyOps"],
      ["100 within each of two", { success: [nested(...gets(100)), nested(...gets(100))] }, "ok"],
    ])("%s", (_, parts, expected) => {
      expect(txnVerdict(parts)).toBe(expected);
    });
  });

  /** Every row was seen on etcd 3.4.23 and 3.5.30. */
  describe("refuses to change a key twice", () => {
    const dup = "DuplicateKey";
    const thenElse = op.txn({ success: [op.put("x")], failure: [op.put("x")] });
    it.each<[string, RequestOp[], string]>([
      ["two puts", [op.put("x"), op.put("x")], dup],
      ["two deletions", [op.del("x"), op.del("x")], "ok"],
      ["a put and its deletion", [op.put("x"), op.del("x")], dup],
      ["a deletion and its put", [op.del("x"), op.put("x")], dup],
      ["a put inside a deleted range", [op.put("x"), op.del("w", "z")], dup],
      ["a put at the start of a deleted range", [op.put("w"), op.del("w", "z")], dup],
      ["a put at the end of a deleted range", [op.put("z"), op.del("w", "z")], "ok"],
      ["a deleted range that ends before it starts", [op.put("x"), op.del("z", "a")], "ok"],
      ["a deleted range that ends where it starts", [op.put("x"), op.del("x", "x")], "ok"],
      ["a deletion to the end of the key space", [op.put("x"), op.del("w", openEnd)], "ok"],
      ["overlapping deleted ranges", [op.del("a", "m"), op.del("c", "z"), op.put("y")], dup],
      ["a put and a nested put", [op.put("x"), nested(op.put("x"))], dup],
      ["a put and a nested deletion", [op.put("x"), nested(op.del("x"))], dup],
      ["a deletion and a nested put", [op.del("x"), nested(op.put("x"))], dup],
      ["a put and a deletion two levels down", [nested(nested(op.del("x", "y"))), op.put("x")], dup],
      ["puts of two nested ones", [nested(op.put("x")), nested(op.put("x"))], dup],
      ["a nested deletion before a nested put", [nested(op.del("x")), nested(op.put("x"))], dup],
      ["a nested put before a nested deletion", [nested(op.put("x")), nested(op.del("x"))], "ok"],
      ["puts in branches that exclude each other", [thenElse], "ok"],
      ["those and one beside", [thenElse, nested(op.put("x"))], dup],
      ["a put here if it succeeds, there if it fails", [nested(op.put("x")), op.txn({ failure: [op.put("x")] })], dup],
      [
        "a put and a deletion that exclude each other",
        [op.txn({ success: [op.put("x")], failure: [op.del("x")] })],
        "ok",
      ],
    ])("%s", (_, operations, expected) => {
      expect(txnVerdict({ success: operations })).toBe(expected);
      expect(txnVerdict({ failure: operations })).toBe(expected);
    });

    it("not if the puts are in branches that exclude each other", () => {
      expect(txnVerdict({ success: [op.put("x")], failure: [op.put("x")] })).toBe("ok");
    });

    it("compares keys as bytes", () => {
      const bytes = (...values: number[]) => Uint8Array.from(values);
      const deletion = { request: { $case: "requestDeleteRange" as const, value: { ...del("a"), key: bytes(0x7f) } } };
      const rangeEnd = bytes(0xff);
      deletion.request.value = { ...deletion.request.value, rangeEnd };
      const putInside = { request: { $case: "requestPut" as const, value: { ...put("a"), key: bytes(0x80, 0) } } };
      expect(txnVerdict({ success: [deletion, putInside] })).toBe(dup);
    });
  });

  it("finds one key among thousands", () => {
    const many = (make: (n: number) => RequestOp) => Array.from({ length: 64 }, (_, n) => make(n));
    const puts = many((outer) => nested(...many((inner) => op.put(`k${outer}/${inner}`))));
    expect(txnVerdict({ success: puts })).toBe("ok");
    expect(txnVerdict({ success: [...puts.slice(1), op.put("k63/63")] })).toBe("DuplicateKey");
    expect(txnVerdict({ success: [...puts.slice(1), op.del("k63/63")] })).toBe("DuplicateKey");
    expect(txnVerdict({ success: [...puts.slice(1), op.del("k63/64")] })).toBe("ok");
  });
});
