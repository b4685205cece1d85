/**
 * @module Publishing: one transaction that writes the documents, keeps a record of each, and drops the oldest. It takes
 * effect only if nothing was published meanwhile. A transaction whose answer was lost is sent again: if the first one
 * had taken effect, the second finds the record of its own release and so knows the outcome.
 */
import { hex } from "@conclave/base";
import {
  type CallOptions,
  type ClientView,
  type Compare,
  ConclaveError,
  compare,
  fullJitterMs,
  type Op,
  op,
  requestsWithin,
  sleep,
} from "@conclave/client";
import { type DocumentState, parseNotes, readState, unrecorded } from "./history.ts";
import { historyBefore, publicationKey, sequenceOf } from "./keys.ts";
import { checkSize, configLimits } from "./limits.ts";
import { decodeRecord, encodeRecord } from "./record.ts";

/** Who publishes and why, for the history. */
export interface PublicationReason {
  /** Who publishes; default: nobody is named. */
  readonly by?: string | undefined;
  /** Why; default: nothing is said. */
  readonly note?: string | undefined;
}

/** A value that is ready to be published. */
export interface Prepared<Value> {
  /** As the schema reads it. */
  readonly value: Value;
  /** As it will be stored. */
  readonly bytes: Uint8Array;
  /** What else must hold. */
  readonly compares?: readonly Compare[];
  /** What else happens with it. */
  readonly ops?: readonly Op<unknown>[];
  /** The revision whose value it brings back. */
  readonly rollbackTo?: number | undefined;
}

/** A value on its way into a document; made by `draft` of a configuration, published alone or with others. */
export interface Draft<Value> {
  /** The document. */
  readonly key: string;
  /** The revision it must have been published over; undefined: any. @internal */
  readonly ifRevision: number | undefined;
  /** How many publications are kept. @internal */
  readonly historyCount: number;
  /** Most bytes. @internal */
  readonly maxBytes: number;
  /** Checks and encodes the value. @internal */
  prepare(options: CallOptions): Promise<Prepared<Value>>;
}

/** What a release came to. */
export interface Publication<Value> {
  /** Its id, which every record of it carries. */
  readonly release: string;
  /** The revision that published it. */
  readonly revision: number;
  /** The values, in the order of the drafts. */
  readonly values: readonly Value[];
}

/** Others may publish meanwhile so many times in a row. */
const triesMax = 10;
const retryBackoff = { firstMs: 20, maxMs: 500 };

/**
 * Publishes drafts in one transaction.
 *
 * @throws ConclaveError `FAILED_PRECONDITION` if a document is not at the revision its draft demands, or changes all
 * the time; `INVALID_ARGUMENT`, `REQUEST_TOO_LARGE`
 */
export async function publishDrafts<Value>(
  client: ClientView,
  drafts: readonly Draft<Value>[],
  options: CallOptions & PublicationReason = {},
): Promise<Publication<Value>> {
  const { clock, random, scheduler } = client.ports;
  const release = hex(random.bytes(8));
  const notes = { release, atMs: clock.wallMs(), by: options.by, note: options.note };
  const request = requestsWithin(client, options);
  const signal = options.signal ?? new AbortController().signal;
  for (let tries = 1; ; tries++) {
    const plans = await Promise.all(drafts.map((draft) => plan(client, draft, notes, request)));
    const revision = await commit(client, plans, { release, request });
    if (revision !== undefined) return { release, revision, values: plans.map(({ value }) => value) };
    if (tries === triesMax) throw changedError(drafts.map(({ key }) => `"${key}"`).join(", "));
    await sleep(scheduler, fullJitterMs(random, retryBackoff, tries), signal);
  }
}

interface Plan<Value> {
  readonly value: Value;
  readonly record: string;
  readonly compares: readonly Compare[];
  readonly ops: readonly Op<unknown>[];
}

async function plan<Value>(
  client: ClientView,
  draft: Draft<Value>,
  notes: PublicationReason & { readonly release: string },
  request: () => CallOptions,
): Promise<Plan<Value>> {
  const { key, ifRevision } = draft;
  const { value, bytes, compares = [], ops = [], rollbackTo } = await draft.prepare(request());
  checkSize(key, bytes, draft.maxBytes);
  const state = await readState(client, key, request());
  const revision = state.current?.modRevision ?? 0;
  if (ifRevision !== undefined && ifRevision !== revision)
    throw new ConclaveError("FAILED_PRECONDITION", `"${key}" was changed since revision ${ifRevision}`);
  const about = { ...notes, rollbackTo };
  const written = writes(draft, state, { bytes, about });
  return {
    value,
    record: written.record,
    compares: [compare.modRevision(key).equal(revision), compare.version(written.record).equal(0), ...compares],
    ops: [...written.ops, ...ops],
  };
}

function writes(
  { key, historyCount }: Draft<unknown>,
  state: DocumentState,
  { bytes, about }: { readonly bytes: Uint8Array; readonly about: object },
): { readonly record: string; readonly ops: readonly Op<unknown>[] } {
  const ops: Op<unknown>[] = [op.put(key, bytes)];
  let sequence = state.last === undefined ? 1 : sequenceOf(state.last.keyString) + 1;
  const found = unrecorded(state);
  if (found !== undefined) {
    ops.push(op.put(publicationKey(key, sequence), encodeRecord({ revision: found.revision }, found.bytes)));
    sequence += 1;
  }
  const record = publicationKey(key, sequence);
  ops.push(op.put(record, encodeRecord(about, bytes)));
  if (sequence > historyCount) ops.push(op.delete(historyBefore(key, sequence - historyCount + 1)));
  return { record, ops };
}

/** The revision that published; undefined if something else was published meanwhile. */
async function commit(
  client: ClientView,
  plans: readonly Plan<unknown>[],
  { release, request }: { readonly release: string; readonly request: () => CallOptions },
): Promise<number | undefined> {
  const { succeeded, revision, responses } = await client
    .txn()
    .if(...plans.flatMap(({ compares }) => compares))
    .then(...plans.flatMap(({ ops }) => ops))
    .else(op.get(plans[0]?.record ?? ""))
    .commit({ ...request(), idempotent: true });
  if (succeeded) return revision;
  const [record] = responses;
  const isOwn = record !== undefined && parseNotes(decodeRecord(record.value).about)?.release === release;
  return isOwn ? record.modRevision : undefined;
}

function changedError(keys: string): ConclaveError {
  return new ConclaveError("FAILED_PRECONDITION", `Cannot publish ${keys}: others publish all the time`, {
    retryable: true,
  });
}

/** @throws ConclaveError `INVALID_ARGUMENT` or `TOO_MANY_OPS` if these cannot be published together */
export function checkTogether(drafts: readonly Draft<unknown>[]): void {
  const max = configLimits.releaseDocumentsMax;
  if (drafts.length === 0) throw new ConclaveError("INVALID_ARGUMENT", "Invalid release: it has no documents");
  if (drafts.length > max)
    throw new ConclaveError("TOO_MANY_OPS", `Invalid release: ${drafts.length} documents are more than ${max}`);
  if (new Set(drafts.map(({ key }) => key)).size < drafts.length)
    throw new ConclaveError("INVALID_ARGUMENT", "Invalid release: a document is in it twice");
}
