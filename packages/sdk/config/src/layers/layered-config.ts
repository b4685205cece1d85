/**
 * @module A configuration in layers: defaults < global < service < instance < environment. The middle three are documents
 * of the store; only what is made of all of them has to satisfy the schema, so a layer says no more than it wants to.
 */
import {
  type CallOptions,
  type ClientView,
  type Compare,
  ConclaveError,
  compare,
  type StandardSchema,
} from "@conclave/client";
import { z } from "zod";
import type { Config, ConfigOptions } from "../config.ts";
import { checkValue, decodeJson } from "../document/format.ts";
import type { InstanceIdentity } from "../document/gray.ts";
import { DocumentConfig, documentParts } from "../document-config.ts";
import { type Composition, type EffectiveVersion, effectiveOf } from "../live/composition.ts";
import type { LiveConfig, LiveOptions } from "../live/live-config.ts";
import { openLiveConfig } from "../live/open.ts";
import { readSnapshot } from "../live/snapshot.ts";
import { type EnvironmentLayer, readEnvironment } from "./environment.ts";
import { isFields, mergeLayers } from "./merge.ts";

/** What a layer may say of a value: any part of it; null takes a field away that a weaker layer has. */
export type LayerValue<Value> = Value extends readonly unknown[]
  ? Value
  : Value extends object
    ? { readonly [Field in keyof Value]?: LayerValue<Value[Field]> | null }
    : Value;

/** A layer that is a document of the store. */
export type LayerName = "global" | "service" | "instance";

/** How a configuration in layers is made. */
export interface LayeredConfigOptions<Value> extends ConfigOptions<Value> {
  /** The weakest layer; default: nothing. */
  readonly defaults?: LayerValue<Value> | undefined;
  /** What the keys start with. Default: `config/`. */
  readonly root?: string | undefined;
  /** The service whose layer is used; default: none. No `/` or `!` may be in it. */
  readonly service?: string | undefined;
  /** The instance whose layer is used, and which gray releases may choose; default: none. */
  readonly instance?: InstanceIdentity | undefined;
  /** The strongest layer; default: nothing. It is this process's own: publications are checked without it. */
  readonly environment?: EnvironmentLayer | undefined;
}

/** A configuration in layers. */
export interface LayeredConfig<Value> {
  /** Its name. */
  readonly name: string;
  /**
   * The document of a layer: `<root>global/<name>`, `<root>service/<service>/<name>` or
   * `<root>instance/<id>/<name>`. What is published there must make, with the defaults and the other documents, a value
   * that the schema takes; the transaction holds only if these were not changed meanwhile.
   *
   * @throws ConclaveError `INVALID_ARGUMENT` if the configuration was made without this service or instance
   */
  layer(name: LayerName): Config<LayerValue<Value>>;
  /**
   * What is in force, without gray releases; undefined if no layer says anything.
   *
   * @throws ConclaveError `DATA_LOSS` if the schema refuses it
   */
  get(options?: CallOptions): Promise<EffectiveVersion<Value> | undefined>;
  /** Follows what is in force. Instances are listed by `layer("global").running()`. */
  live(options?: Omit<LiveOptions, "instance">): Promise<LiveConfig<Value>>;
}

const part = z.string().regex(/^[^/!]+$/, "must not be empty, and without / and !");
const optionsSchema = z.object({
  name: part,
  root: z.string().optional(),
  service: part.optional(),
  instance: z.object({ id: part }).optional(),
  environment: z.object({ prefix: z.string().min(1) }).optional(),
});

/**
 * Makes a configuration in layers. Layers are merged as JSON Merge Patch does (RFC 7396): objects field by field, a
 * null takes a field away, anything else replaces what is below.
 *
 * @param name - what it is called; no `/` or `!` may be in it
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function createLayeredConfig<Value>(
  client: ClientView,
  name: string,
  options: LayeredConfigOptions<Value>,
): LayeredConfig<Value> {
  const checked = optionsSchema.safeParse({ ...options, name });
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw new ConclaveError("INVALID_ARGUMENT", `Invalid configuration: ${issue?.path.join(".")} ${issue?.message}`);
  }
  const documents = documentsOf(client, name, options);
  const composition = compositionOf(documents, options);
  return {
    name,
    layer(wanted) {
      const found = documents.find(({ layer }) => layer === wanted);
      if (found === undefined)
        throw new ConclaveError("INVALID_ARGUMENT", `"${name}" was made without the layer "${wanted}"`);
      return createLayer(found, { client, documents, options });
    },
    async get(callOptions = {}) {
      const snapshot = await readSnapshot(client, keysOf(documents), callOptions);
      return (await effectiveOf(composition, snapshot, []))?.version;
    },
    live: (liveOptions = {}) => openLiveConfig(client, composition, { ...liveOptions, instance: options.instance }),
  };
}

type LayerDocument = ReturnType<typeof documentParts<unknown>> & { readonly layer: LayerName };

interface LayerSetting<Value> {
  readonly client: ClientView;
  readonly documents: readonly LayerDocument[];
  readonly options: LayeredConfigOptions<Value>;
}

/** What any layer is: an object. The schema judges what all of them make. */
const fieldsSchema: StandardSchema<unknown> = {
  "~standard": {
    version: 1,
    vendor: "conclave",
    validate: (value) => (isFields(value) ? { value } : { issues: [{ message: "a layer must be an object" }] }),
  },
};

/** The documents, weakest first. */
function documentsOf<Value>(
  client: ClientView,
  name: string,
  { root = "config/", service, instance, ...options }: LayeredConfigOptions<Value>,
): readonly LayerDocument[] {
  const { codec, historyCount, maxBytes } = options;
  const document = (layer: LayerName, path: string): LayerDocument => ({
    ...documentParts(client, `${root}${path}/${name}`, { schema: fieldsSchema, codec, historyCount, maxBytes }),
    layer,
  });
  return [
    document("global", "global"),
    ...(service === undefined ? [] : [document("service", `service/${service}`)]),
    ...(instance === undefined ? [] : [document("instance", `instance/${instance.id}`)]),
  ];
}

function keysOf(documents: readonly LayerDocument[]): readonly string[] {
  return documents.map(({ key }) => key);
}

function compositionOf<Value>(
  documents: readonly LayerDocument[],
  { schema, defaults, environment }: LayeredConfigOptions<Value>,
): Composition<Value> {
  const strongest = environment && readEnvironment(environment);
  return {
    name: documents[0]?.key ?? "",
    documents: documents.map(({ key, format }) => ({ key, codec: format.codec })),
    compose: (parts) => mergeLayers([defaults, ...parts, strongest]),
    schema,
  };
}

function createLayer<Value>(document: LayerDocument, setting: LayerSetting<Value>): Config<LayerValue<Value>> {
  const admit = (json: unknown, options: CallOptions) => admitLayer(document, json, { ...setting, call: options });
  // A layer holds whatever object was published there; its type is what the publishers are held to.
  return new DocumentConfig({ ...document, admit }) as Config<unknown> as Config<LayerValue<Value>>;
}

/** Whether a layer goes with the others as they are. What comes of them must be valid while they stay so. */
async function admitLayer<Value>(
  { key }: LayerDocument,
  json: unknown,
  { client, documents, options, call }: LayerSetting<Value> & { readonly call: CallOptions },
): Promise<readonly Compare[]> {
  const snapshot = await readSnapshot(client, keysOf(documents), call);
  const parts = documents.map(({ key: other, format }, at) => {
    const base = snapshot.documents[at]?.base;
    if (other === key) return json;
    return base && decodeJson(format.codec, base.bytes, `revision ${base.revision} of "${other}"`);
  });
  const refusal = { code: "INVALID_ARGUMENT", action: `publish "${key}"` } as const;
  await checkValue(options.schema, mergeLayers([options.defaults, ...parts]), refusal);
  return snapshot.documents
    .filter((other) => other.key !== key)
    .map((other) => compare.modRevision(other.key).equal(other.base?.revision ?? 0));
}
