/** @module From what the store holds to what is in force for one instance: choose, decode, put together, check. */
import { type Codec, ConclaveError, type StandardSchema } from "@conclave/client";
import type { ConfigVersion } from "../config-version.ts";
import { checkValue, decodeJson } from "../document/format.ts";
import { type InstanceIdentity, isChosen, type StoredGray } from "../document/gray.ts";
import { grayOf, type Snapshot } from "./snapshot.ts";

/** What makes up a configuration. */
export interface Composition<Value> {
  /** What it is called in messages; its instances' acknowledgements are kept under it. */
  readonly name: string;
  /** The documents, weakest first. */
  readonly documents: readonly { readonly key: string; readonly codec: Codec<unknown> }[];
  /** Puts what is in the documents together, each undefined if there is none; undefined if nothing comes of it. */
  compose(parts: readonly unknown[]): unknown;
  /** Checks what was put together. */
  readonly schema: StandardSchema<Value>;
}

/** Who looks, and when. */
export interface Viewpoint {
  /** For whom; undefined: for nobody in particular, so that no gray value applies. */
  readonly instance: InstanceIdentity | undefined;
  /** The time, in milliseconds since 1970. */
  readonly nowMs: number;
}

/** A value that is in force, and what it came from. */
export interface EffectiveVersion<Value> extends ConfigVersion<Value> {
  /** The value, as the schema read it. */
  readonly value: Value;
  /** The newest of the revisions that published its parts; 0 if none of it comes from the store. */
  readonly revision: number;
  /** Whether a part of it is the value of a gray release. */
  readonly gray: boolean;
}

/** What a snapshot says: a value before and after the schema. */
export interface Effective<Value> {
  /** What was put together, before the schema: two that are equal are no change. */
  readonly json: unknown;
  /** The value. */
  readonly version: EffectiveVersion<Value>;
}

/** The gray releases that apply at a viewpoint, by the place of their document; undefined where there is none. */
export function graysFor(snapshot: Snapshot, { instance, nowMs }: Viewpoint): readonly (StoredGray | undefined)[] {
  return snapshot.documents.map((document) => {
    const gray = grayOf(document);
    return gray !== undefined && nowMs < gray.endsAtMs && isChosen(gray, instance) ? gray : undefined;
  });
}

/**
 * What is in force.
 *
 * @param grays - the gray values to use, by the place of their document
 * @returns undefined if there is nothing
 * @throws ConclaveError `DATA_LOSS` if it is nothing that may come into force
 */
export async function effectiveOf<Value>(
  { name, documents, compose, schema }: Composition<Value>,
  snapshot: Snapshot,
  grays: readonly (StoredGray | undefined)[],
): Promise<Effective<Value> | undefined> {
  const used = snapshot.documents.map(({ base }, at) => grays[at] ?? base);
  const revision = Math.max(0, ...used.map((part) => part?.revision ?? 0));
  const parts = documents.map(({ key, codec }, at) => {
    const part = used[at];
    return part && decodeJson(codec, part.bytes, `revision ${part.revision} of "${key}"`);
  });
  const json = composed(name, () => compose(parts));
  if (json === undefined) return undefined;
  const value = await checkValue(schema, json, { code: "DATA_LOSS", action: `read revision ${revision} of "${name}"` });
  return { json, version: { value, revision, gray: grays.some((gray) => gray !== undefined) } };
}

/** Whoever writes to the store decides how deep a document is; too deep is a bad document, not a crash. */
function composed(name: string, compose: () => unknown): unknown {
  try {
    return compose();
  } catch (cause) {
    throw new ConclaveError("DATA_LOSS", `Cannot put "${name}" together: ${String(cause)}`, { cause });
  }
}
