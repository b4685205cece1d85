import { concatBytes } from "@conclave/base";
import { withEncodedParts } from "@conclave/protocol";
import { RangeResponse } from "@conclave/protocol/etcdserverpb";
import type { KeyValue } from "@conclave/protocol/mvccpb";

/** A range as it was read: all but its pairs, and those in slices, each the encoded fields `kvs`. */
export interface GatheredSlices {
  readonly rest: Omit<RangeResponse, "kvs">;
  readonly slices: readonly Uint8Array[];
}

/** A response whose pairs are sent as they were read; whoever looks at them has them decoded then. */
export function gatheredRange({ rest, slices }: GatheredSlices): RangeResponse {
  let decoded: KeyValue[] | undefined;
  const response: RangeResponse = {
    ...rest,
    get kvs() {
      decoded ??= RangeResponse.decode(concatBytes(slices)).kvs;
      return decoded;
    },
  };
  // In the order of the fields' numbers, as every encoder writes them.
  return withEncodedParts(response, () => [
    RangeResponse.encode({ header: rest.header, kvs: [], more: false, count: 0 }).finish(),
    ...slices,
    RangeResponse.encode({ ...rest, header: undefined, kvs: [] }).finish(),
  ]);
}
