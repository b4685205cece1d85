/** A value with the revision that brought it into force. */
export interface ConfigVersion<Value> {
  /** The value, as the schema read it. */
  readonly value: Value;
  /** The revision; for {@link PublishOptions.ifRevision}. */
  readonly revision: number;
}
