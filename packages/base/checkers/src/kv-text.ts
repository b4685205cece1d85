import type { KvEvent, KvItem, KvOperation, KvResult } from "./kv-operation.ts";

const textMax = 300;

/** A range of keys for people. */
export function rangeText({ key, rangeEnd }: { readonly key: string; readonly rangeEnd?: string }): string {
  return rangeEnd === undefined || rangeEnd === "" ? quoted(key) : `[${quoted(key)}, ${quoted(rangeEnd)})`;
}

/** A key or a value for people. */
export function quoted(bytes: string): string {
  return JSON.stringify(bytes.length > 80 ? `${bytes.slice(0, 77)}...` : bytes);
}

/** An operation for people, on one line. */
export function operationText(operation: KvOperation): string {
  return shortened(fullOperationText(operation));
}

function fullOperationText(operation: KvOperation): string {
  switch (operation.kind) {
    case "put":
      return `put(${quoted(operation.key)}, ${quoted(operation.value)}${operation.lease === undefined ? "" : `, lease ${operation.lease}`})`;
    case "get":
      return `get(${rangeText(operation)}${operation.serializable === true ? ", serializable" : ""})`;
    case "delete":
      return `delete(${rangeText(operation)})`;
    case "revoke":
      return `revoke(lease ${operation.lease})`;
    case "txn": {
      const list = (operations: readonly KvOperation[]) => operations.map(fullOperationText).join(", ");
      const conditions = operation.compare.map(
        ({ target, result, operand, ...range }) => `${target} of ${rangeText(range)} ${result} ${operand}`,
      );
      return `txn(if ${conditions.join(" and ") || "true"} then ${list(operation.success)} else ${list(operation.failure)})`;
    }
  }
}

/** A live key for people. */
export function itemText(item: KvItem | null | undefined): string {
  if (item === undefined || item === null) return "(absent)";
  const { key, value, createRevision, modRevision, version, lease } = item;
  const attached = lease === undefined ? "" : ` lease ${lease}`;
  return `${quoted(key)}=${quoted(value)} create ${createRevision} mod ${modRevision} version ${version}${attached}`;
}

/** A result for people, on one line. */
export function resultText(result: KvResult): string {
  return shortened(fullResultText(result));
}

function fullResultText(result: KvResult): string {
  switch (result.kind) {
    case "put":
      return result.previous === undefined ? "put" : `put, before ${itemText(result.previous)}`;
    case "get":
      return `${result.count} keys [${result.items.map(itemText).join("; ")}]`;
    case "delete":
      return `deleted ${result.deleted}`;
    case "revoke":
      return "revoked";
    case "txn":
      return `${result.succeeded ? "succeeded" : "failed"} [${result.results.map(fullResultText).join(", ")}]`;
  }
}

/** An event for people. */
export function eventText(event: KvEvent): string {
  if (event.type === "put") return `put of ${itemText(event.item)}`;
  return `deletion of ${quoted(event.key)} at revision ${event.revision}`;
}

/** Events for people, on one line. */
export function eventsText(events: readonly KvEvent[]): string {
  return events.length === 0 ? "nothing" : shortened(events.map(eventText).join("; "));
}

function shortened(text: string): string {
  return text.length > textMax ? `${text.slice(0, textMax)}...` : text;
}
