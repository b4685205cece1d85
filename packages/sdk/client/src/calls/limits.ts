/** @module What members take at most, checked before a call is sent. */
import { binaryString, utf8Text } from "@conclave/base";
import type { TxnRequest } from "@conclave/protocol/etcdserverpb";
import { ConclaveError } from "../conclave-error.ts";

/** How much the members take at once. */
export interface RequestLimits {
  /** Conditions, or operations of one branch, in a transaction: the members' `--max-txn-ops`. Default: 128. */
  readonly txnOps: number;
  /** Bytes of a request that writes: the members' `--max-request-bytes`. Default: 1 572 864 (1.5 MiB). */
  readonly requestBytes: number;
}

/** What members take that are not told otherwise. */
export const defaultLimits: RequestLimits = { txnOps: 128, requestBytes: 1.5 * 1024 * 1024 };

/**
 * Refuses a transaction that no member takes, before it is sent.
 *
 * @throws ConclaveError `TOO_MANY_OPS`, or `DUPLICATE_KEY` if one branch puts a key twice; nothing was changed
 */
export function checkTxn({ compare, success, failure }: TxnRequest, { txnOps }: RequestLimits): void {
  if (txnOps === Number.POSITIVE_INFINITY) return;
  const size = Math.max(compare.length, success.length, failure.length);
  if (size > txnOps)
    throw new ConclaveError(
      "TOO_MANY_OPS",
      `Cannot send a transaction of ${size} conditions or operations: members take ${txnOps} (see the client's option limits)`,
    );
  checkPuts(success);
  checkPuts(failure);
}

/** A member would not know which of two values is the key's. */
function checkPuts(branch: TxnRequest["success"]): void {
  const seen = new Set<string>();
  for (const { request } of branch) {
    if (request?.$case !== "requestPut") continue;
    const key = binaryString(request.value.key);
    if (seen.has(key))
      throw new ConclaveError(
        "DUPLICATE_KEY",
        `Cannot send a transaction that puts ${JSON.stringify(utf8Text(request.value.key))} twice`,
      );
    seen.add(key);
  }
}

/**
 * Refuses a request that no member takes, before it is sent.
 *
 * @throws ConclaveError `REQUEST_TOO_LARGE`; nothing was changed
 */
export function checkSize(method: string, bytes: number, { requestBytes }: RequestLimits): void {
  if (bytes <= requestBytes) return;
  throw new ConclaveError(
    "REQUEST_TOO_LARGE",
    `Cannot send a ${method} of ${bytes} bytes: members take ${requestBytes} (see the client's option limits)`,
  );
}
