import {
  type CallOptions,
  type ClientView,
  ConclaveError,
  compare,
  isConclaveError,
  type KeyValue,
  type MutationOptions,
  op,
} from "@conclave/client";
import { z } from "zod";
import { type ConfigVersion, type LiveConfig, openLiveConfig } from "./live-config.ts";
import { describeIssues, type StandardSchema } from "./standard-schema.ts";

/** How a configuration is made. */
export interface ConfigOptions<Value> {
  /** Checks what is published and what is read. Any schema that follows Standard Schema, such as zod's. */
  readonly schema: StandardSchema<Value>;
}

/** How to publish. */
export interface PublishOptions extends MutationOptions {
  /** Publish only if the configuration is still that of this revision; 0: only if there is none. Default: always. */
  readonly ifRevision?: number;
}

/** How much of the history to read. */
export interface HistoryOptions extends CallOptions {
  /** Most values to return; default 10. */
  readonly limit?: number;
}

/** A typed configuration under one key, stored as JSON. */
export interface Config<Value> {
  /** Its key. */
  readonly key: string;
  /**
   * The value in force; undefined if none was published.
   *
   * @throws ConclaveError `DATA_LOSS` if what is stored is refused by the schema
   */
  get(options?: CallOptions): Promise<ConfigVersion<Value> | undefined>;
  /**
   * Publishes a value, if the schema takes it.
   *
   * @throws ConclaveError `INVALID_ARGUMENT` with the issues if the schema refuses it; `FAILED_PRECONDITION` if
   * `ifRevision` no longer holds
   */
  publish(value: Value, options?: PublishOptions): Promise<ConfigVersion<Value>>;
  /** Follows the value. */
  live(options?: CallOptions): Promise<LiveConfig<Value>>;
  /** The valid values up to the one in force, newest first, as far as the store's history reaches. */
  history(options?: HistoryOptions): Promise<readonly ConfigVersion<Value>[]>;
}

/**
 * Makes a configuration.
 *
 * @param key - where it is kept
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function createConfig<Value>(client: ClientView, key: string, { schema }: ConfigOptions<Value>): Config<Value> {
  const keyCheck = z.string().min(1).safeParse(key);
  if (!keyCheck.success)
    throw new ConclaveError("INVALID_ARGUMENT", "Invalid configuration: the key must not be empty");
  return new SchemaConfig(client, key, schema);
}

const historyLimit = 10;

class SchemaConfig<Value> implements Config<Value> {
  readonly key: string;
  readonly #client: ClientView;
  readonly #schema: StandardSchema<Value>;

  constructor(client: ClientView, key: string, schema: StandardSchema<Value>) {
    this.key = key;
    this.#client = client;
    this.#schema = schema;
  }

  async get(options?: CallOptions): Promise<ConfigVersion<Value> | undefined> {
    const kv = await this.#client.get(this.key, options);
    return kv === undefined ? undefined : { value: await this.#decode(kv), revision: kv.modRevision };
  }

  async publish(value: Value, { ifRevision, ...options }: PublishOptions = {}): Promise<ConfigVersion<Value>> {
    const checked = await this.#check(value, "INVALID_ARGUMENT", "publish");
    const put = op.put(this.key, JSON.stringify(value));
    const guards = ifRevision === undefined ? [] : [compare.modRevision(this.key).equal(ifRevision)];
    const { succeeded, revision } = await this.#client
      .txn()
      .if(...guards)
      .then(put)
      .commit(options);
    if (succeeded) return { value: checked, revision };
    throw new ConclaveError("FAILED_PRECONDITION", `"${this.key}" was changed since revision ${ifRevision}`);
  }

  live(options: CallOptions = {}): Promise<LiveConfig<Value>> {
    return openLiveConfig(this.#client, this.key, (kv) => this.#decode(kv), options);
  }

  async history({
    limit = historyLimit,
    ...options
  }: CallOptions & { readonly limit?: number } = {}): Promise<readonly ConfigVersion<Value>[]> {
    const versions: ConfigVersion<Value>[] = [];
    let kv = await this.#client.get(this.key, options);
    while (kv !== undefined && versions.length < limit) {
      const value = await this.#decode(kv).catch(() => undefined); // What was never valid was never in force.
      if (value !== undefined) versions.push({ value, revision: kv.modRevision });
      kv = await this.#before(kv.modRevision, options);
    }
    return versions;
  }

  async #before(revision: number, options: CallOptions): Promise<KeyValue | undefined> {
    try {
      return await this.#client.get(this.key, { ...options, revision: revision - 1 });
    } catch (error) {
      if (isConclaveError(error, "COMPACTED")) return undefined;
      throw error;
    }
  }

  async #decode(kv: KeyValue): Promise<Value> {
    let json: unknown;
    try {
      json = JSON.parse(kv.valueString);
    } catch (cause) {
      throw new ConclaveError("DATA_LOSS", `Revision ${kv.modRevision} of "${this.key}" is not JSON`, { cause });
    }
    return await this.#check(json, "DATA_LOSS", `read revision ${kv.modRevision} of`);
  }

  async #check(value: unknown, code: "INVALID_ARGUMENT" | "DATA_LOSS", action: string): Promise<Value> {
    const result = await this.#schema["~standard"].validate(value);
    if (result.issues === undefined) return result.value;
    throw new ConclaveError(
      code,
      `Cannot ${action} "${this.key}" as the schema refuses it: ${describeIssues(result.issues)}`,
    );
  }
}
