import { binaryString, prefixEnd, utf8 } from "@conclave/base";
import type { KvRange } from "@conclave/checkers";

/** The keys of a run: few, so that clients meet, and all under one prefix, so that nobody else is touched. */
export interface KeySpace {
  /** Every key of the run, as a range in the form of histories. */
  readonly range: KvRange;
  /** The keys that clients write, in the form of histories. */
  readonly keys: readonly string[];
  /** The key whose writes tell where the run ends. */
  readonly marker: string;
}

/** The keys of a run. */
export function createKeySpace(prefix: string, keys: number): KeySpace {
  const start = binaryString(utf8(prefix));
  return {
    range: { key: start, rangeEnd: binaryString(prefixEnd(utf8(prefix))) },
    keys: Array.from({ length: keys }, (_, at) => `${start}k${at}`),
    marker: `${start}marker`,
  };
}
