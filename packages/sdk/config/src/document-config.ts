import {
  type CallOptions,
  type ClientView,
  type Compare,
  ConclaveError,
  type KeyValue,
  requestsWithin,
} from "@conclave/client";
import { z } from "zod";
import type {
  Config,
  ConfigDiff,
  ConfigOptions,
  ConfigUsage,
  DiffOptions,
  DraftOptions,
  HistoryOptions,
  PublishedVersion,
  PublishOptions,
  RollbackOptions,
} from "./config.ts";
import type { ConfigVersion } from "./config-version.ts";
import { diffValues } from "./document/diff.ts";
import { checkValue, type DocumentFormat, decodeJson, decodeValue, plainJson } from "./document/format.ts";
import { createGrayReleases, type GrayReleases } from "./document/gray-releases.ts";
import { readPublications, type StoredPublication } from "./document/history.ts";
import { checkKey } from "./document/keys.ts";
import { configLimits } from "./document/limits.ts";
import { type Draft, type Prepared, type PublicationReason, publishDrafts } from "./document/publication.ts";
import type { LiveConfig, LiveOptions } from "./live/live-config.ts";
import { openLiveConfig } from "./live/open.ts";
import { type RunningVersion, readRunning } from "./live/running.ts";

/**
 * Makes a configuration.
 *
 * @param key - where it is kept; no `!` may be in it
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function createConfig<Value>(client: ClientView, key: string, options: ConfigOptions<Value>): Config<Value> {
  return new DocumentConfig(documentParts(client, key, options));
}

/** What a document is made of. */
export interface DocumentParts<Value> {
  /** The store. */
  readonly client: ClientView;
  /** Where it is. */
  readonly key: string;
  /** How it is stored. */
  readonly format: DocumentFormat<Value>;
  /** How many publications are kept. */
  readonly historyCount: number;
  /** Most bytes of a value. */
  readonly maxBytes: number;
  /** Whether a value may be published, beyond the schema: what must hold for it. Default: nothing. */
  readonly admit?: (json: unknown, options: CallOptions) => Promise<readonly Compare[]>;
}

const optionsSchema = z.object({
  historyCount: z.number().int().min(configLimits.historyCountMin).max(configLimits.historyCountMax).optional(),
  maxBytes: z.number().int().min(1).max(configLimits.documentBytesMax).optional(),
});

/** What a document is made of by default. @throws ConclaveError `INVALID_ARGUMENT` */
export function documentParts<Value>(
  client: ClientView,
  key: string,
  options: ConfigOptions<Value>,
): DocumentParts<Value> {
  const checked = optionsSchema.safeParse(options);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw new ConclaveError("INVALID_ARGUMENT", `Invalid configuration: ${issue?.path.join(".")} ${issue?.message}`);
  }
  const { schema, codec = plainJson } = options;
  const { historyCount = configLimits.historyCount, maxBytes = configLimits.documentBytes } = options;
  return { client, key: checkKey(key), format: { codec, schema }, historyCount, maxBytes };
}

const historyLimit = 10;

/** A document of the store as a configuration. */
export class DocumentConfig<Value> implements Config<Value> {
  readonly key: string;
  readonly gray: GrayReleases<Value>;
  readonly #parts: DocumentParts<Value>;
  readonly #client: ClientView;

  /** @param parts - what it is made of */
  constructor(parts: DocumentParts<Value>) {
    this.key = parts.key;
    this.#parts = parts;
    this.#client = parts.client;
    this.gray = createGrayReleases({ ...parts, draft: (json) => this.#draft({ json }) });
  }

  async get(options?: CallOptions): Promise<ConfigVersion<Value> | undefined> {
    const kv = await this.#client.get(this.key, options);
    return kv === undefined ? undefined : await this.#versionOf(kv);
  }

  async publish(value: Value, options: PublishOptions = {}): Promise<ConfigVersion<Value>> {
    return await this.#publish(this.draft(value, { ifRevision: options.ifRevision }), options);
  }

  draft(value: Value, { ifRevision }: DraftOptions = {}): Draft<Value> {
    return this.#draft({ json: value, ifRevision });
  }

  async rollback(options: RollbackOptions = {}): Promise<ConfigVersion<Value>> {
    const request = requestsWithin(this.#client, options);
    const current = await this.#client.get(this.key, request());
    if (current === undefined) throw new ConclaveError("NOT_FOUND", `"${this.key}" was never published`);
    const { revision, bytes } = await this.#earlier(current.modRevision, options.toRevision, request);
    const json = decodeJson(this.#parts.format.codec, bytes, `revision ${revision} of "${this.key}"`);
    const draft = this.#draft({ json, ifRevision: current.modRevision, rollbackTo: revision });
    return await this.#publish(draft, { ...options, ...request() });
  }

  live(options: LiveOptions = {}): Promise<LiveConfig<Value>> {
    const { key } = this;
    const { codec, schema } = this.#parts.format;
    const compose = ([json]: readonly unknown[]) => json;
    return openLiveConfig(this.#client, { name: key, documents: [{ key, codec }], compose, schema }, options);
  }

  async history({
    limit = historyLimit,
    ...options
  }: HistoryOptions = {}): Promise<readonly PublishedVersion<Value>[]> {
    const versions: PublishedVersion<Value>[] = [];
    for await (const publication of this.#publications(requestsWithin(this.#client, options))) {
      if (versions.length >= limit) break;
      const value = await this.#valueOf(publication).catch(() => undefined); // What was never valid was never in force.
      if (value !== undefined) versions.push({ value, revision: publication.revision, notes: publication.notes });
    }
    return versions;
  }

  async diff({ from, to, ...options }: DiffOptions = {}): Promise<ConfigDiff> {
    let later: StoredPublication | undefined;
    for await (const publication of this.#publications(requestsWithin(this.#client, options))) {
      if (later !== undefined && (from === undefined || publication.revision === from))
        return this.#difference(publication, later);
      if (later === undefined && (to === undefined || publication.revision === to)) later = publication;
    }
    throw this.#notKept(later === undefined ? to : from);
  }

  running(options: CallOptions = {}): Promise<readonly RunningVersion[]> {
    return readRunning(this.#client, this.key, options);
  }

  async usage(options: CallOptions = {}): Promise<ConfigUsage> {
    const request = requestsWithin(this.#client, options);
    const { historyCount, maxBytes } = this.#parts;
    const current = await this.#client.get(this.key, request());
    let [publications, historyBytes] = [0, 0];
    for await (const { bytes } of this.#publications(request)) {
      publications += 1;
      historyBytes += bytes.length;
    }
    return { bytes: current?.value.length ?? 0, maxBytes, publications, historyCount, historyBytes };
  }

  async #publish(draft: Draft<Value>, options: CallOptions & PublicationReason): Promise<ConfigVersion<Value>> {
    const { revision, values } = await publishDrafts(this.#client, [draft], options);
    return { value: values[0] as Value, revision };
  }

  #draft({ json, ifRevision, rollbackTo }: Omit<Prepared<unknown>, "value" | "bytes"> & JsonDraft): Draft<Value> {
    const { key } = this;
    const { historyCount, maxBytes, format, admit } = this.#parts;
    return {
      key,
      ifRevision,
      historyCount,
      maxBytes,
      async prepare(options): Promise<Prepared<Value>> {
        const refusal = { code: "INVALID_ARGUMENT", action: `publish "${key}"` } as const;
        const value = await checkValue(format.schema, json, refusal);
        const compares = (await admit?.(json, options)) ?? [];
        return { value, bytes: format.codec.encode(json), compares, rollbackTo };
      },
    };
  }

  #publications(request: () => CallOptions): AsyncGenerator<StoredPublication> {
    return readPublications(this.#client, this.key, request);
  }

  async #versionOf({ value, modRevision }: KeyValue): Promise<ConfigVersion<Value>> {
    return { value: await this.#valueOf({ bytes: value, revision: modRevision }), revision: modRevision };
  }

  #valueOf({ bytes, revision }: Pick<StoredPublication, "bytes" | "revision">): Promise<Value> {
    return decodeValue(this.#parts.format, bytes, { key: this.key, revision });
  }

  /** The publication to go back to: that of a revision, or the last valid one. */
  async #earlier(
    before: number,
    toRevision: number | undefined,
    request: () => CallOptions,
  ): Promise<StoredPublication> {
    for await (const publication of this.#publications(request)) {
      if (publication.revision === toRevision) return publication;
      if (toRevision !== undefined || publication.revision >= before) continue;
      // What was never valid was never in force.
      if ((await this.#valueOf(publication).catch(() => undefined)) !== undefined) return publication;
    }
    throw this.#notKept(toRevision);
  }

  #difference(earlier: StoredPublication, later: StoredPublication): ConfigDiff {
    const [before, after] = [earlier, later].map(({ bytes, revision }) =>
      decodeJson(this.#parts.format.codec, bytes, `revision ${revision} of "${this.key}"`),
    );
    return { from: earlier.revision, to: later.revision, differences: diffValues(before, after) };
  }

  #notKept(revision: number | undefined): ConclaveError {
    const wanted = revision === undefined ? "earlier valid value" : `value of revision ${revision}`;
    return new ConclaveError("NOT_FOUND", `"${this.key}" has no ${wanted} in its history`);
  }
}

interface JsonDraft {
  readonly json: unknown;
  readonly ifRevision?: number | undefined;
}
