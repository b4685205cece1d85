import type { HistoryOperation } from "./history.ts";
import { kvModel } from "./kv-model.ts";
import {
  inRange,
  isSerializable,
  type KvAnswer,
  type KvOperation,
  type KvRange,
  type KvResult,
  mayWrite,
} from "./kv-operation.ts";
import { operationText, resultText } from "./kv-text.ts";
import { checkLinearizability, type LinearizabilityOptions, type LinearizabilityVerdict } from "./linearizability.ts";

/** An operation of a history of a key-value store. */
export type KvHistoryOperation = HistoryOperation<KvOperation, KvAnswer>;

/** What {@link checkKvLinearizability} says. */
export type KvLinearizabilityVerdict = LinearizabilityVerdict<KvOperation, KvAnswer>;

/**
 * Checks that a history of a key-value store that began empty is linearizable.
 *
 * Keys that no operation touches together are checked apart from each other. Serializable reads and reads at an older
 * revision are left to {@link checkKvOrder}. A lease that keys were put with may end at any time after that, and then
 * takes no more: whether it was allowed to is for {@link checkLeases} to say. No id of a lease may be granted twice.
 *
 * @param operations - as {@link operationsOf} gives them
 */
export function checkKvLinearizability(
  operations: readonly KvHistoryOperation[],
  options: Pick<LinearizabilityOptions<KvOperation, KvAnswer>, "statesMax"> = {},
): KvLinearizabilityVerdict {
  const relevant = [...operations.filter(isRelevant), ...leaseEnds(operations)];
  const parts = new KeyParts(relevant);
  return checkLinearizability(relevant, kvModel, { ...options, partOf: ({ operation }) => parts.partOf(operation) });
}

function isRelevant({ operation, returned }: KvHistoryOperation): boolean {
  if (operation.kind === "get" && operation.revision !== undefined) return false;
  return !isSerializable(operation) && (returned !== undefined || mayWrite(operation));
}

/** For each lease its end, at a time that nobody knows. */
function leaseEnds(operations: readonly KvHistoryOperation[]): readonly KvHistoryOperation[] {
  const first = new Map<string, KvHistoryOperation>();
  for (const each of operations)
    for (const { lease } of putsOf(each.operation))
      if (lease !== undefined && !first.has(lease)) first.set(lease, each);
  return [...first].map(([lease, { invokedAt, invokedMs }], at) => ({
    id: -1 - at,
    client: `end of lease ${lease}`,
    session: `end of lease ${lease}`,
    operation: { kind: "revoke", lease },
    invokedAt,
    invokedMs,
    returned: undefined,
  }));
}

function putsOf(operation: KvOperation): readonly { readonly key: string; readonly lease?: string }[] {
  if (operation.kind === "put") return [operation];
  if (operation.kind !== "txn") return [];
  return [...operation.success, ...operation.failure].flatMap(putsOf);
}

/** Which keys belong together as an operation touches them together: disjoint sets (Tarjan), by name of one key. */
class KeyParts {
  readonly #parents = new Map<string, string>();
  readonly #leases = new Map<string, Set<string>>();

  constructor(operations: readonly KvHistoryOperation[]) {
    for (const { operation, returned } of operations) this.#noteKeys(operation, returned?.answer.result);
    for (const { operation } of operations) this.#join(this.#keysOf(operation));
  }

  /** A name for the set of keys that an operation touches. */
  partOf(operation: KvOperation): string {
    const [key] = this.#keysOf(operation);
    // What touches no key that anything else touches is a part of its own.
    return key === undefined ? `nothing in ${JSON.stringify(operation)}` : this.#root(key);
  }

  #noteKeys(operation: KvOperation, result: KvResult | undefined): void {
    for (const { key, rangeEnd } of rangesOf(operation)) if (rangeEnd === undefined) this.#note(key);
    for (const key of keysTold(result)) this.#note(key);
    for (const { key, lease } of putsOf(operation)) {
      if (lease === undefined) continue;
      const keys = this.#leases.get(lease) ?? new Set();
      this.#leases.set(lease, keys.add(key));
    }
  }

  #note(key: string): void {
    if (!this.#parents.has(key)) this.#parents.set(key, key);
  }

  #keysOf(operation: KvOperation): readonly string[] {
    if (operation.kind === "revoke") return [...(this.#leases.get(operation.lease) ?? [])];
    return rangesOf(operation).flatMap((range) =>
      range.rangeEnd === undefined ? [range.key] : [...this.#parents.keys()].filter((key) => inRange(key, range)),
    );
  }

  #join([first, ...others]: readonly string[]): void {
    if (first === undefined) return;
    for (const other of others) this.#parents.set(this.#root(other), this.#root(first));
  }

  #root(key: string): string {
    let root = key;
    for (
      let parent = this.#parents.get(root);
      parent !== undefined && parent !== root;
      parent = this.#parents.get(root)
    )
      root = parent;
    this.#parents.set(key, root);
    return root;
  }
}

function rangesOf(operation: KvOperation): readonly KvRange[] {
  switch (operation.kind) {
    case "revoke":
      return [];
    case "txn":
      return [...operation.compare, ...[...operation.success, ...operation.failure].flatMap(rangesOf)];
    case "put":
    case "get":
    case "delete":
      return [operation];
  }
}

function keysTold(result: KvResult | undefined): readonly string[] {
  if (result?.kind === "get") return result.items.map(({ key }) => key);
  return result?.kind === "txn" ? result.results.flatMap(keysTold) : [];
}

const prefixShown = 8;

/** A verdict for people: for a violation what does not fit, after what, and what was under way. */
export function linearizabilityText(verdict: KvLinearizabilityVerdict): string {
  switch (verdict.kind) {
    case "ok":
      return `linearizable: ${verdict.checked} operations, ${verdict.states} states`;
    case "undecided":
      return `undecided after ${verdict.states} states, in the part of key ${JSON.stringify(verdict.part)}`;
    case "violated": {
      const { misfit, prefix, concurrent } = verdict.violation;
      const shown = prefix.slice(-prefixShown);
      return [
        `not linearizable: ${kvHistoryOperationText(misfit)} does not fit`,
        `after this order, which explains all ${prefix.length} that came before it${shown.length < prefix.length ? " (its end)" : ""}:`,
        ...shown.map((operation) => `  ${kvHistoryOperationText(operation)}`),
        ...(concurrent.length === 0 ? [] : ["nor with any of those under way:"]),
        ...concurrent.map((operation) => `  ${kvHistoryOperationText(operation)}`),
      ].join("\n");
    }
  }
}

/** An operation of a history for people, on one line. */
export function kvHistoryOperationText({ id, client, operation, invokedMs, returned }: KvHistoryOperation): string {
  const asked = `#${id} ${client} ${operationText(operation)}`;
  if (returned === undefined) return `${asked} from ${invokedMs} ms, outcome not known`;
  const { atMs, answer } = returned;
  return `${asked} from ${invokedMs} to ${atMs} ms -> ${resultText(answer.result)} at revision ${answer.revision}`;
}
