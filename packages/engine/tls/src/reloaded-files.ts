import { readFileSync, statSync } from "node:fs";
import { TlsError } from "./tls-error.ts";

/** Reads a file that the configuration names. */
export type ReadFile = (path: string) => Buffer;

/**
 * What some files say, read anew when one of them has changed. They are looked at whenever they are asked for, which
 * costs a `stat` each: a watcher would miss files that are replaced through symbolic links, as Kubernetes does it.
 */
export class ReloadedFiles<Content> {
  readonly #paths: readonly string[];
  readonly #load: (read: ReadFile) => Content;
  #loaded: { readonly stamp: string; readonly content: Content } | undefined;

  /**
   * @param paths - the files; empty names are left out
   * @param load - makes the content of them
   */
  constructor(paths: readonly string[], load: (read: ReadFile) => Content) {
    this.#paths = paths.filter((path) => path !== "");
    this.#load = load;
  }

  /**
   * The content as the files are now.
   *
   * @throws TlsError `FILE` if one cannot be read, and whatever `load` throws
   */
  current(): Content {
    // Taken before reading: a file that changes meanwhile is read again next time.
    const stamp = this.#paths.map(stampOf).join();
    if (this.#loaded?.stamp === stamp) return this.#loaded.content;
    const content = this.#load((path) => onFile(path, (file) => readFileSync(file)));
    this.#loaded = { stamp, content };
    return content;
  }

  /** The content as it was when the files last made sense; undefined if they never did. */
  get last(): Content | undefined {
    return this.#loaded?.content;
  }
}

function stampOf(path: string): string {
  const { mtimeNs, ctimeNs, size, ino } = onFile(path, (file) => statSync(file, { bigint: true }));
  return `${mtimeNs}/${ctimeNs}/${size}/${ino}`;
}

function onFile<Result>(path: string, action: (path: string) => Result): Result {
  try {
    return action(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TlsError("FILE", `Cannot read "${path}": ${reason}`, { cause });
  }
}
