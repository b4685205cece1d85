/** One thing that must not be, found in what was recorded. */
export interface Violation<Rule extends string = string> {
  /** Which rule is broken. */
  readonly rule: Rule;
  /** What was found and what should have been, in a sentence with the numbers in it. */
  readonly message: string;
}

/** What a checker says of a record: nothing wrong, or what is wrong. */
export type Verdict<Rule extends string = string> =
  | {
      readonly kind: "ok";
      /** How many things were checked; 0 means that the record was empty and the verdict worth nothing. */
      readonly checked: number;
    }
  | {
      readonly kind: "violated";
      /** In the order in which they were found, at least one, at most {@link violationsMax}. */
      readonly violations: readonly Violation<Rule>[];
    };

/** Most violations that a checker lists: one fault often breaks a rule again and again. */
export const violationsMax = 20;

/** Thrown by {@link assertHolds}. */
export class CheckFailed extends Error {
  override readonly name = "CheckFailed";
}

/** Where a part of a checker puts what it finds. */
export type FindingSink<Rule extends string> = Pick<Findings<Rule>, "add" | "checked" | "count">;

/** Collects what a checker finds. */
export class Findings<Rule extends string> {
  readonly #violations: Violation<Rule>[] = [];
  #checked = 0;

  /** How many rules were found broken so far, at most {@link violationsMax}. */
  get count(): number {
    return this.#violations.length;
  }

  /** Counts a thing that was looked at. */
  checked(): void {
    this.#checked += 1;
  }

  /** Notes a broken rule; beyond {@link violationsMax} it is dropped. */
  add(rule: Rule, message: string): void {
    if (this.#violations.length < violationsMax) this.#violations.push({ rule, message });
  }

  /** What has been found. */
  verdict(): Verdict<Rule> {
    if (this.#violations.length > 0) return { kind: "violated", violations: this.#violations };
    return { kind: "ok", checked: this.#checked };
  }
}

/**
 * Throws unless nothing is wrong.
 *
 * @param what - what was checked, for the message
 * @throws {@link CheckFailed} with every violation in its message, or if there was nothing to check
 */
export function assertHolds(what: string, verdict: Verdict): void {
  if (verdict.kind === "violated") {
    const lines = verdict.violations.map(({ rule, message }) => `  ${rule}: ${message}`);
    throw new CheckFailed(`${what} does not hold:\n${lines.join("\n")}`);
  }
  if (verdict.checked === 0) throw new CheckFailed(`${what} was not checked: the record is empty`);
}
