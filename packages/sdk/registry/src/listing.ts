/** @module Reading once who is registered, with what the store knows of them. */
import { type CallOptions, type ClientView, type KeyValue, prefix } from "@conclave/client";
import { type Instance, type InstanceMetadata, publicInstance } from "./instance.ts";
import { type InstanceStore, readInstance } from "./layout.ts";
import type { Selection } from "./selection.ts";

/** An instance as it stands in the store. */
export interface ListedInstance<Metadata = InstanceMetadata> {
  /** The instance. */
  readonly instance: Instance<Metadata>;
  /** Its key. */
  readonly key: string;
  /** The lease it lives on; 0n if it was written by hand and stays for ever. */
  readonly lease: bigint;
  /**
   * When it was registered, in milliseconds since 1970 by the clock of the process that did; undefined if that process did
   * not say. Healing a lost lease does not change it.
   */
  readonly registeredAtMs: number | undefined;
  /** The revision at which it was registered, since it was last absent. */
  readonly registeredRevision: number;
  /** The revision of its last change. */
  readonly revision: number;
}

/** The instances that are registered, at one revision. */
export interface InstanceListing<Metadata = InstanceMetadata> {
  /** The revision at which it was so. */
  readonly revision: number;
  /** The instances, draining ones too, ordered by service and id. */
  readonly instances: readonly ListedInstance<Metadata>[];
  /** Keys among them that hold no instance. */
  readonly invalid: readonly string[];
}

/** Where and what to read. */
export interface ListingParts<Metadata> {
  /** Reads. */
  readonly client: ClientView;
  /** Where the instances are. */
  readonly store: InstanceStore<Metadata>;
  /** Which services. */
  readonly selection: Selection;
}

/** Reads the instances of services, all at one revision. */
export async function listInstances<Metadata>(
  { client, store, selection }: ListingParts<Metadata>,
  options: CallOptions = {},
): Promise<InstanceListing<Metadata>> {
  const instances: ListedInstance<Metadata>[] = [];
  const invalid: string[] = [];
  let revision = 0;
  for await (const page of client.pages(prefix(`${store.prefix}${selection.keys}`), options)) {
    if (revision === 0) revision = page.revision;
    for (const kv of page.kvs) {
      const listed = toListed(store, kv);
      if (listed === undefined) invalid.push(kv.keyString);
      else if (selection.matches(listed.instance.service)) instances.push(listed);
    }
  }
  return { revision, instances, invalid };
}

function toListed<Metadata>(store: InstanceStore<Metadata>, kv: KeyValue): ListedInstance<Metadata> | undefined {
  const stored = readInstance(store, kv);
  if (stored === undefined) return undefined;
  const { keyString, lease, createRevision, modRevision } = kv;
  return {
    instance: publicInstance(stored),
    key: keyString,
    lease,
    registeredAtMs: stored.registeredAtMs,
    registeredRevision: createRevision,
    revision: modRevision,
  };
}
