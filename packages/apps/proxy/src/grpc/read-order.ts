/** @module `--experimental-serializable-ordering`: reads never go back to an older revision. */

interface Headed {
  readonly header: { readonly revision: number } | undefined;
}

/** The newest revision that a read or a write was answered with. */
export class ReadOrder {
  #newest = 0;

  /** Whether an answer with this header would go back to what was before an earlier answer. */
  isBehind(header: Headed["header"]): boolean {
    return (header?.revision ?? 0) < this.#newest;
  }

  /** Remembers the revision of an answer, and returns the answer. */
  noted<Answer extends Headed>(answer: Answer): Answer {
    this.#newest = Math.max(this.#newest, answer.header?.revision ?? 0);
    return answer;
  }
}
