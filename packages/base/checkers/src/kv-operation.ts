/**
 * @module What clients of a key-value store ask and are told, as plain data: everything here survives
 * `JSON.stringify`, so that a record of a run can be written to a file and checked again.
 *
 * Keys and values are strings with one char per byte (`binaryString` of `@conclave/base`; plain ASCII is one), so that
 * comparing them with `<` orders them as the store does. Leases are strings too, as JSON has no 64-bit integers.
 */

/** One key, or a half-open range of keys. */
export interface KvRange {
  /** The key, or the first one of the range. */
  readonly key: string;
  /** Where the range ends, exclusive; `"\0"` for the end of the key space; absent for the one key. */
  readonly rangeEnd?: string;
}

/** Puts a value. */
export interface KvPut {
  /** Which operation it is. */
  readonly kind: "put";
  /** The key. */
  readonly key: string;
  /** Its new value. */
  readonly value: string;
  /** Lease that the key is attached to; default none. */
  readonly lease?: string;
}

/** What a {@link KvGet} may be sorted by. */
export type KvSortTarget = "key" | "version" | "create" | "mod" | "value";

/** Reads a key or a range. */
export interface KvGet extends KvRange {
  /** Which operation it is. */
  readonly kind: "get";
  /** Revision to read at; default the newest. */
  readonly revision?: number;
  /** Whether the member asked may answer alone, with what it has; default `false`. */
  readonly serializable?: boolean;
  /** Most items wanted; default all. */
  readonly limit?: number;
  /** Order of the items, before the limit; default ascending by key. */
  readonly sort?: { readonly by: KvSortTarget; readonly descending?: boolean };
  /** Only keys created at or before this revision; default all. They are left out before the limit. */
  readonly maxCreateRevision?: number;
  /** Whether values are left out; default `false`. */
  readonly keysOnly?: boolean;
  /** Whether only the count is wanted; default `false`. */
  readonly countOnly?: boolean;
}

/** Deletes a key or a range. */
export interface KvDelete extends KvRange {
  /** Which operation it is. */
  readonly kind: "delete";
}

/** A condition of a {@link KvTxn}; over a range it must hold for every key, one without keys counting as an absent key. */
export interface KvCompare extends KvRange {
  /** What of the key is compared; of an absent key every number is 0, no value compares true, and no lease is `"0"`. */
  readonly target: "version" | "create" | "mod" | "value" | "lease";
  /** How it must relate to the operand. */
  readonly result: "equal" | "notEqual" | "less" | "greater";
  /** A string for `value` and `lease`, a number for the rest. */
  readonly operand: number | string;
}

/** If all conditions hold, does one thing, otherwise another, in one step. */
export interface KvTxn {
  /** Which operation it is. */
  readonly kind: "txn";
  /** All must hold, in the state before the transaction. */
  readonly compare: readonly KvCompare[];
  /** What is done if all conditions hold. */
  readonly success: readonly KvTxnOperation[];
  /** What is done otherwise. */
  readonly failure: readonly KvTxnOperation[];
}

/** What a transaction may be made of. */
export type KvTxnOperation = KvPut | KvGet | KvDelete | KvTxn;

/** Ends a lease and deletes every key that is attached to it. */
export interface KvRevoke {
  /** Which operation it is. */
  readonly kind: "revoke";
  /** Id of the lease, as decimal digits. */
  readonly lease: string;
}

/** What a client asks. */
export type KvOperation = KvTxnOperation | KvRevoke;

/** A live key. */
export interface KvItem {
  /** The key. */
  readonly key: string;
  /** Empty if only keys were asked for. */
  readonly value: string;
  /** Revision at which the key was created; a key that was deleted and put again has a new one. */
  readonly createRevision: number;
  /** Revision of the last put. */
  readonly modRevision: number;
  /** Puts since the key was created. */
  readonly version: number;
  /** Lease that the key is attached to; absent for none. */
  readonly lease?: string;
}

/** What a client is told, without the revision. */
export type KvResult =
  | {
      readonly kind: "put";
      /** The key as it was before; only checked where it was asked for, and `null` says that there was none. */
      readonly previous?: KvItem | null;
    }
  | {
      readonly kind: "get";
      /** In the order asked for; empty if only the count was. */
      readonly items: readonly KvItem[];
      /** How many keys the range has, whatever the limit. */
      readonly count: number;
    }
  | { readonly kind: "delete"; readonly deleted: number }
  | {
      readonly kind: "txn";
      /** Whether all conditions held. */
      readonly succeeded: boolean;
      /** One for each operation of the branch taken. */
      readonly results: readonly KvResult[];
    }
  | { readonly kind: "revoke" };

/** What a client is told. */
export interface KvAnswer {
  /** Revision of the store in the header of the response; of a write, the one it was given. */
  readonly revision: number;
  /** What was asked for. */
  readonly result: KvResult;
}

/** A change of one key, as a watch tells it. */
export type KvEvent =
  | {
      readonly type: "put";
      /** The key after the change. */
      readonly item: KvItem;
      /** The key before the change, if the watch asked for it and there was one. */
      readonly previous?: KvItem;
    }
  | {
      readonly type: "delete";
      readonly key: string;
      /** Revision of the deletion. */
      readonly revision: number;
      /** The key before the change, if the watch asked for it. */
      readonly previous?: KvItem;
    };

/** The key that an event is about. */
export function eventKey(event: KvEvent): string {
  return event.type === "put" ? event.item.key : event.key;
}

/** The revision at which an event took place. */
export function eventRevision(event: KvEvent): number {
  return event.type === "put" ? event.item.modRevision : event.revision;
}

/** Whether a key lies in a range. */
export function inRange(key: string, { key: first, rangeEnd }: KvRange): boolean {
  if (rangeEnd === undefined || rangeEnd === "") return key === first;
  return key >= first && (rangeEnd === "\0" || key < rangeEnd);
}

/** Whether a result tells that the store was changed; of a revoke it does not tell. */
export function tellsOfChange(result: KvResult): boolean {
  switch (result.kind) {
    case "put":
      return true;
    case "delete":
      return result.deleted > 0;
    case "get":
    case "revoke":
      return false;
    case "txn":
      return result.results.some(tellsOfChange);
  }
}

/** Whether an operation may change the store. */
export function mayWrite(operation: KvOperation): boolean {
  switch (operation.kind) {
    case "put":
    case "delete":
    case "revoke":
      return true;
    case "get":
      return false;
    case "txn":
      return operation.success.some(mayWrite) || operation.failure.some(mayWrite);
  }
}

/**
 * Whether one member may answer an operation alone: a serializable read, or a transaction of nothing else. As in etcd
 * one that holds another transaction is not, and an empty one is.
 */
export function isSerializable(operation: KvOperation): boolean {
  if (operation.kind === "txn") return [...operation.success, ...operation.failure].every(isSerializableGet);
  return isSerializableGet(operation);
}

function isSerializableGet(operation: KvOperation): boolean {
  return operation.kind === "get" && operation.serializable === true;
}

/** An operation that puts a value if the key still is as it was when it was read. */
export function compareAndSwap(swap: {
  readonly key: string;
  /** Mod revision that the key must have; 0 if it must be absent. */
  readonly modRevision: number;
  readonly value: string;
}): KvTxn {
  const { key, modRevision, value } = swap;
  return {
    kind: "txn",
    compare: [{ key, target: "mod", result: "equal", operand: modRevision }],
    success: [{ kind: "put", key, value }],
    failure: [{ kind: "get", key }],
  };
}
