/** @module The conditions of a transaction. */
import {
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
  type Compare as WireCompare,
} from "@conclave/protocol/etcdserverpb";
import { bytesInput, int64, rangeInput, validate } from "../validate.ts";
import { type BytesInput, type RangeInput, toBytes } from "./key-range.ts";
import type { Keyspace } from "./keyspace.ts";

/** One condition on a key, or on every key of a range. */
export interface Compare {
  /** The condition as the protocol has it. @internal */
  encode(space: Keyspace): WireCompare;
}

/** What a field of a key is held against. Each method makes a condition. */
export interface Comparison<Operand> {
  /** The field is the operand. */
  equal(operand: Operand): Compare;
  /** The field is not the operand. */
  notEqual(operand: Operand): Compare;
  /** The field is greater than the operand. */
  greater(operand: Operand): Compare;
  /** The field is less than the operand. */
  less(operand: Operand): Compare;
}

/** Makes conditions. A key that is not there has version, revisions and lease 0, and no value at all. */
export interface CompareFactory {
  /** How many changes the key has had since it came to be; 0 if it is not there. */
  version(range: RangeInput): Comparison<number | bigint>;
  /** The revision at which the key came to be: the fence of who holds it. */
  createRevision(range: RangeInput): Comparison<number | bigint>;
  /** The revision of the key's last change. */
  modRevision(range: RangeInput): Comparison<number | bigint>;
  /** The value, ordered as bytes. A condition on the value of a missing key is false. */
  value(range: RangeInput): Comparison<BytesInput>;
  /** The lease the key hangs on; 0n for none. */
  lease(range: RangeInput): Comparison<bigint>;
}

type TargetUnion = NonNullable<WireCompare["targetUnion"]>;

function comparison<Operand>(
  range: RangeInput,
  target: CompareTarget,
  toUnion: (operand: Operand) => TargetUnion,
): Comparison<Operand> {
  validate(rangeInput, range, "range of a compare");
  const make =
    (result: CompareResult) =>
    (operand: Operand): Compare => {
      const targetUnion = toUnion(operand);
      return { encode: (space) => ({ ...space.range(range), result, target, targetUnion }) };
    };
  return {
    equal: make(CompareResult.EQUAL),
    notEqual: make(CompareResult.NOT_EQUAL),
    greater: make(CompareResult.GREATER),
    less: make(CompareResult.LESS),
  };
}

function toInt64(operand: number | bigint): bigint {
  return BigInt(validate(int64, operand, "operand of a compare"));
}

/**
 * Makes the conditions of a transaction.
 *
 * @example
 * ```ts
 * compare.version("config").equal(0) // the key is not there
 * ```
 */
export const compare: CompareFactory = {
  version: (range) =>
    comparison(range, CompareTarget.VERSION, (operand) => ({ $case: "version", value: toInt64(operand) })),
  createRevision: (range) =>
    comparison(range, CompareTarget.CREATE, (operand) => ({ $case: "createRevision", value: toInt64(operand) })),
  modRevision: (range) =>
    comparison(range, CompareTarget.MOD, (operand) => ({ $case: "modRevision", value: toInt64(operand) })),
  value: (range) =>
    comparison(range, CompareTarget.VALUE, (operand) => ({
      $case: "value",
      value: toBytes(validate(bytesInput, operand, "operand of a compare")),
    })),
  lease: (range) => comparison(range, CompareTarget.LEASE, (operand) => ({ $case: "lease", value: toInt64(operand) })),
};
