/** @module A table in SQLite that several processes write to, and only the one with the highest fence may. */
import Database from "libsql";

/** One line of the ledger. */
export interface Entry {
  readonly worker: string;
  readonly fence: number;
  readonly text: string;
}

const schema = `
  CREATE TABLE IF NOT EXISTS guard (id INTEGER PRIMARY KEY CHECK (id = 1), fence INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, worker TEXT NOT NULL, fence INTEGER NOT NULL, text TEXT NOT NULL);
  INSERT OR IGNORE INTO guard VALUES (1, 0);
`;

/** The ledger of one process. */
export class Ledger implements Disposable {
  readonly #database: Database.Database;

  /** @param path - the file */
  constructor(path: string) {
    this.#database = new Database(path);
    this.#database.exec("PRAGMA busy_timeout = 5000");
    this.#database.exec(schema);
  }

  /**
   * Writes an entry, unless somebody with a higher fence has written before.
   *
   * @returns whether it was written
   */
  append({ worker, fence, text }: Entry): boolean {
    const write = this.#database.transaction((): boolean => {
      const raised = this.#database.prepare("UPDATE guard SET fence = ? WHERE fence <= ?").run(fence, fence);
      if (raised.changes === 0) return false;
      this.#database.prepare("INSERT INTO entry (worker, fence, text) VALUES (?, ?, ?)").run(worker, fence, text);
      return true;
    });
    return write.immediate();
  }

  /** Every entry, in the order in which they were written. */
  entries(): readonly Entry[] {
    return this.#database.prepare("SELECT worker, fence, text FROM entry ORDER BY id").all() as Entry[];
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
