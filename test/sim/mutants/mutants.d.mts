/** A fault that is put into the sources to see whether the simulation finds it. */
export interface Mutant {
  /** What is wrong with it. */
  readonly fault: string;
  /** A seed that finds it, and the seconds it runs. */
  readonly killedBy: { readonly seed: number; readonly seconds: number };
  /** The pieces of text that are replaced, each of which is in its file exactly once. */
  readonly edits: readonly { readonly file: string; readonly find: string; readonly replace: string }[];
}

/** All of them, by name. */
export const mutants: Readonly<Record<string, Mutant>>;
