/** Thrown for bytes that are not the message they should be. It never leaves the package. */
export class MalformedError extends Error {
  override readonly name = "MalformedError";
}
