import type { CallOptions, ClientView } from "@conclave/client";
import type { ConfigVersion } from "./config-version.ts";
import { checkTogether, type Draft, type PublicationReason, publishDrafts } from "./document/publication.ts";

/** How to publish a release. */
export interface ReleaseOptions extends CallOptions, PublicationReason {}

/** What drafts became, each at the place of its draft. */
export type ReleasedVersions<Drafts extends readonly Draft<unknown>[]> = {
  readonly [Index in keyof Drafts]: Drafts[Index] extends Draft<infer Value> ? ConfigVersion<Value> : never;
};

/** A release: documents that came into force in one step. */
export interface Release<Drafts extends readonly Draft<unknown>[]> {
  /** Its id; the history of each of the documents names it. */
  readonly id: string;
  /** The revision that published all of them. */
  readonly revision: number;
  /** The documents' values, in the order of the drafts. */
  readonly versions: ReleasedVersions<Drafts>;
}

/**
 * Publishes several documents in one transaction: all or none.
 *
 * @param drafts - up to 32, made by {@link Config.draft}
 * @throws ConclaveError as {@link Config.publish}, of any of them; `TOO_MANY_OPS` if they are too many
 * @example
 * ```ts
 * await publishRelease(client, [limits.draft({ perSec: 10 }), flags.draft({ beta: true })], { by: "ada" });
 * ```
 */
export async function publishRelease<const Drafts extends readonly Draft<unknown>[]>(
  client: ClientView,
  drafts: Drafts,
  options: ReleaseOptions = {},
): Promise<Release<Drafts>> {
  checkTogether(drafts);
  const { release, revision, values } = await publishDrafts<unknown>(client, drafts, options);
  const versions = values.map((value) => ({ value, revision }));
  // Each value was made by the draft at its place.
  return { id: release, revision, versions: versions as unknown as ReleasedVersions<Drafts> };
}
