import { type CallOptions, type ClientView, type KeyValue, prefix, type StandardSchema } from "@conclave/client";
import { isDocumentKey } from "./document/keys.ts";

/** A schema that takes whatever JSON can say: for tools that know nothing of the application. */
export const anyJson: StandardSchema<unknown> = {
  "~standard": {
    version: 1,
    vendor: "conclave",
    validate: (value) =>
      JSON.stringify(value) === undefined ? { issues: [{ message: "is nothing that JSON can say" }] } : { value },
  },
};

/** A configuration as it stands in the store, without its value. */
export interface ListedConfig {
  /** Its key. */
  readonly key: string;
  /** The revision that published the value in force. */
  readonly revision: number;
  /** How often it was published since it was last absent. */
  readonly publications: number;
  /** Length of the value, in bytes. */
  readonly sizeBytes: number;
}

/** The configurations in a part of the store, at one revision. */
export interface ConfigListing {
  /** The revision at which it was so. */
  readonly revision: number;
  /** The configurations, by key. */
  readonly configs: readonly ListedConfig[];
  /** Keys among them that hold no JSON, and so no configuration that can be told without its codec. */
  readonly invalid: readonly string[];
}

/**
 * Lists the keys that hold JSON, which is all that can be told of a configuration without its schema. What belongs to
 * a configuration, such as its history, is not listed.
 *
 * @param start - what the keys start with; empty for the whole store
 */
export async function listConfigs(
  client: ClientView,
  start: string,
  options: CallOptions = {},
): Promise<ConfigListing> {
  const configs: ListedConfig[] = [];
  const invalid: string[] = [];
  let revision = 0;
  for await (const page of client.pages(prefix(start), options)) {
    if (revision === 0) revision = page.revision;
    for (const kv of page.kvs) {
      if (!isDocumentKey(kv.keyString)) continue;
      if (isJson(kv)) configs.push(toListed(kv));
      else invalid.push(kv.keyString);
    }
  }
  return { revision, configs, invalid };
}

function isJson({ valueString }: KeyValue): boolean {
  try {
    JSON.parse(valueString);
    return true;
  } catch {
    return false; // Of some other use: the caller lists it apart.
  }
}

function toListed({ keyString, modRevision, version, value }: KeyValue): ListedConfig {
  return { key: keyString, revision: modRevision, publications: version, sizeBytes: value.length };
}
