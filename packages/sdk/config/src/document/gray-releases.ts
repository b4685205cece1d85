import { hex } from "@conclave/base";
import {
  type CallOptions,
  type ClientView,
  ConclaveError,
  compare,
  grantOwnLease,
  isConclaveError,
  op,
  requestsWithin,
} from "@conclave/client";
import { z } from "zod";
import type { ConfigVersion } from "../config-version.ts";
import { type DocumentFormat, decodeJson, decodeValue } from "./format.ts";
import { type GrayNotes, labelsSchema, parseGray, percentSchema, type StoredGray } from "./gray.ts";
import { grayKey } from "./keys.ts";
import { checkSize } from "./limits.ts";
import { type Draft, type Prepared, type PublicationReason, publishDrafts } from "./publication.ts";
import { encodeRecord } from "./record.ts";
import { storedValue } from "./stored-value.ts";

/** How to start a gray release. */
export interface GrayOptions extends CallOptions, PublicationReason {
  /** How long it lasts, in milliseconds, from 1 000 on. Then the value ends by itself. */
  readonly durationMs: number;
  /** For which part of the instances it is, in percent; default: 100. */
  readonly percent?: number | undefined;
  /** The labels an instance must have, each with its value or one of several; default: none. */
  readonly labels?: GrayNotes["labels"] | undefined;
  /** Whether it takes the place of one that lasts; default: false. */
  readonly replace?: boolean | undefined;
  /**
   * Decides with an instance's id whether the instance is in the part. Default: the document's key, so that the
   * same instances come first every time.
   */
  readonly salt?: string | undefined;
}

/** A gray release. */
export interface GrayRelease<Value> extends GrayNotes, ConfigVersion<Value> {}

/** The gray releases of a document; there is one at a time. */
export interface GrayReleases<Value> {
  /**
   * Gives some instances another value for a time.
   *
   * @throws ConclaveError `ALREADY_EXISTS` if another one lasts, `INVALID_ARGUMENT`, `REQUEST_TOO_LARGE`
   */
  start(value: Value, options: GrayOptions): Promise<GrayRelease<Value>>;
  /** The one that lasts; undefined if there is none. @throws ConclaveError `DATA_LOSS` if the schema refuses it */
  get(options?: CallOptions): Promise<GrayRelease<Value> | undefined>;
  /** Ends it at once: everybody goes back to the published value. @returns whether there was one */
  end(options?: CallOptions): Promise<boolean>;
  /**
   * Publishes its value for everybody and ends it, in one transaction.
   *
   * @throws ConclaveError `NOT_FOUND` if there is none, `FAILED_PRECONDITION` if it ended or was replaced meanwhile
   */
  promote(options?: CallOptions & PublicationReason): Promise<ConfigVersion<Value>>;
}

/** What gray releases are made with. */
export interface GrayParts<Value> {
  /** The store. */
  readonly client: ClientView;
  /** The document. */
  readonly key: string;
  /** How its values are stored. */
  readonly format: DocumentFormat<Value>;
  /** Most bytes of a value. */
  readonly maxBytes: number;
  /** Checks and encodes what is to be published. */
  readonly draft: (json: unknown) => Draft<Value>;
}

/** A gray release and the lease it hangs on. */
interface LeasedGray extends StoredGray {
  readonly lease: bigint;
}

const optionsSchema = z.object({
  durationMs: z.number().min(1_000),
  percent: percentSchema.optional(),
  labels: labelsSchema.optional(),
  salt: z.string().optional(),
});

/** The gray releases of a document. */
export function createGrayReleases<Value>(parts: GrayParts<Value>): GrayReleases<Value> {
  const { client, key, format } = parts;
  const read = async (options: CallOptions): Promise<LeasedGray | undefined> => {
    const kv = await client.get(grayKey(key), options);
    const stored = storedValue(kv);
    const gray = stored && parseGray(stored);
    if (gray === undefined || client.ports.clock.wallMs() >= gray.endsAtMs) return undefined;
    return { ...gray, lease: kv?.lease ?? 0n };
  };
  return {
    start: (value, options) => startGray(parts, value, options),
    async get(options = {}) {
      const gray = await read(options);
      return gray && toRelease(gray, await decodeValue(format, gray.bytes, { key, revision: gray.revision }));
    },
    async end(options = {}) {
      const request = requestsWithin(client, options);
      const gray = await read(request());
      if (gray === undefined) return false;
      // With its lease goes this gray value and no later one.
      return await revoke(client, gray.lease, request());
    },
    async promote(options = {}) {
      const request = requestsWithin(client, options);
      const gray = await read(request());
      if (gray === undefined) throw new ConclaveError("NOT_FOUND", `"${key}" has no gray release`);
      const promoted = await promote(parts, gray, { ...request(), by: options.by, note: options.note });
      await revoke(client, gray.lease, request()).catch(() => {}); // Nothing hangs on it any more.
      return promoted;
    },
  };
}

async function startGray<Value>(
  { client, key, maxBytes, draft }: GrayParts<Value>,
  value: Value,
  options: GrayOptions,
): Promise<GrayRelease<Value>> {
  const request = requestsWithin(client, options);
  const notes = newNotes(client, key, options);
  const prepared = await draft(value).prepare(request());
  checkSize(key, prepared.bytes, maxBytes);
  const made = { ports: client.ports, leases: client.lease };
  const { lease: id } = await grantOwnLease(made, Math.ceil(options.durationMs / 1_000), request);
  const target = grayKey(key);
  const absent = options.replace === true ? [] : [compare.version(target).equal(0)];
  const { succeeded, revision, responses } = await client
    .txn()
    .if(...absent, ...(prepared.compares ?? []))
    .then(op.put(target, encodeRecord(notes, prepared.bytes), { lease: id }))
    .else(op.get(target))
    .commit({ ...request(), idempotent: true });
  if (succeeded) return { ...notes, revision, value: prepared.value };
  const [found] = responses;
  // An earlier try whose answer was lost had started it.
  if (found?.lease === id) return { ...notes, revision: found.modRevision, value: prepared.value };
  await revoke(client, id, request()).catch(() => {}); // It ends by itself.
  if (found === undefined)
    throw new ConclaveError("FAILED_PRECONDITION", `A layer of "${key}" was changed meanwhile`, { retryable: true });
  throw new ConclaveError("ALREADY_EXISTS", `"${key}" has a gray release already`);
}

function newNotes(client: ClientView, key: string, options: GrayOptions): GrayNotes {
  const checked = optionsSchema.safeParse(options);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw new ConclaveError("INVALID_ARGUMENT", `Invalid gray release: ${issue?.path.join(".")} ${issue?.message}`);
  }
  const { durationMs, percent = 100, labels = {}, salt = key, by, note } = options;
  const atMs = client.ports.clock.wallMs();
  const release = hex(client.ports.random.bytes(8));
  return { release, atMs, endsAtMs: atMs + durationMs, percent, labels, salt, by, note };
}

async function promote<Value>(
  { client, key, format, draft }: GrayParts<Value>,
  gray: StoredGray,
  options: CallOptions & PublicationReason,
): Promise<ConfigVersion<Value>> {
  const whole = draft(decodeJson(format.codec, gray.bytes, `the gray value of "${key}"`));
  const target = grayKey(key);
  const promoting: Draft<Value> = {
    ...whole,
    async prepare(prepareOptions): Promise<Prepared<Value>> {
      await assertStill(client, key, gray, prepareOptions);
      const prepared = await whole.prepare(prepareOptions);
      const unchanged = compare.modRevision(target).equal(gray.revision);
      return { ...prepared, compares: [...(prepared.compares ?? []), unchanged], ops: [op.delete(target)] };
    },
  };
  const { revision, values } = await publishDrafts(client, [promoting], options);
  return { value: values[0] as Value, revision };
}

/** @throws ConclaveError `FAILED_PRECONDITION` */
async function assertStill(
  client: ClientView,
  key: string,
  { revision }: StoredGray,
  options: CallOptions,
): Promise<void> {
  const kv = await client.get(grayKey(key), options);
  if (kv?.modRevision !== revision)
    throw new ConclaveError("FAILED_PRECONDITION", `The gray release of "${key}" has ended or was replaced`);
}

async function revoke(client: ClientView, lease: bigint, options: CallOptions): Promise<boolean> {
  try {
    await client.lease.revoke(lease, options);
    return true;
  } catch (error) {
    // Gone by an earlier try whose answer was lost, or by itself.
    if (isConclaveError(error, "LEASE_NOT_FOUND")) return error.maybeApplied;
    throw error;
  }
}

function toRelease<Value>({ bytes: _bytes, lease: _lease, ...notes }: LeasedGray, value: Value): GrayRelease<Value> {
  return { ...notes, value };
}
