import { ConclaveError } from "../conclave-error.ts";
import type { ResponseHeader } from "./key-value.ts";

/**
 * The newest revision a client has seen: its serializable reads must not go back behind it when they move to a
 * member that lags.
 */
export class RevisionFloor {
  #clusterId = 0n;
  #revision = 0;

  /** Takes note of an answer. A store restored from a backup is another cluster, with revisions of its own. */
  observe({ clusterId, revision }: ResponseHeader): void {
    if (clusterId !== this.#clusterId) {
      this.#clusterId = clusterId;
      this.#revision = 0;
    }
    if (revision > this.#revision) this.#revision = revision;
  }

  /** Why an answer must not be used, or undefined. */
  check({ clusterId, revision, memberId }: ResponseHeader): ConclaveError | undefined {
    if (clusterId !== this.#clusterId || revision >= this.#revision) return undefined;
    const message = `Cannot use an answer at revision ${revision} of member ${memberId.toString(16)}: this client has seen ${this.#revision}`;
    return new ConclaveError("STALE_READ", message, { retryable: true });
  }
}
